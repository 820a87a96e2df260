#include "frontend/user_line.hpp"

namespace hyperion::frontend {
namespace {
thread_local Location open_line;
}  // namespace

Location user_line(const std::source_location& where) {
  return open_line.known() ? open_line : Location::from(where);
}

UserLine::UserLine(const std::source_location& where) : is_outermost_(!open_line.known()) {
  if (is_outermost_) open_line = Location::from(where);
}

UserLine::~UserLine() {
  if (is_outermost_) open_line = {};
}

}  // namespace hyperion::frontend

#include "frontend/error.hpp"

namespace hyperion::frontend {

void raise(const Diagnostics& diagnostics) {
  std::string text = diagnostics.render();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  throw Error(Code::invalid_argument, text);
}

void raise(Location where, std::string_view id, std::string message, std::string hint) {
  Diagnostics diagnostics;
  diagnostics.error(id, std::move(message), {}, where).hint = std::move(hint);
  raise(diagnostics);
}

void raise(Location where, const Status& status) {
  throw Error(status.code, where.known() ? where.first() + ": " + status.text() : status.text());
}

}  // namespace hyperion::frontend

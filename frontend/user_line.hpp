// user_line.hpp: whose line an op belongs to.
//
// Library functions are written with the same operations as user programs. What they record, and what they complain
// about, belongs to the line of the user who called the outermost of them: each opens a UserLine with its own call place,
// and while one is open, inner ones change nothing. Thread safety: one line per thread.
#pragma once

#include <source_location>

#include "ir/support/location.hpp"

namespace hyperion::frontend {

// The open line, or `where` itself.
Location user_line(const std::source_location& where);

class UserLine {
 public:
  explicit UserLine(const std::source_location& where);
  ~UserLine();
  UserLine(const UserLine&) = delete;
  UserLine& operator=(const UserLine&) = delete;

 private:
  bool is_outermost_;
};

}  // namespace hyperion::frontend

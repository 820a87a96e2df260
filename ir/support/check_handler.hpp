// check_handler.hpp: what a program does when an invariant of the compiler is broken. Apart from check.hpp, which every
// file includes and few programs need to change.
#pragma once

#include <string_view>

namespace hyperion {

struct CheckFailure {
  std::string_view condition;
  std::string_view message;
  std::string_view context;  // of the thread: "pass fuse"
};

// Called after a failed check was printed, before the process aborts; null: nothing is. A tool saves what reproduces the
// failure there and exits in its own way. Thread safety: set it before there are threads.
using CheckHandler = void (*)(const CheckFailure&);
void set_check_handler(CheckHandler handler);

}  // namespace hyperion

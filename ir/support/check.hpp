// check.hpp: broken invariants of our own. Never reachable from input; fuzzers hold that.
//
// A failed check prints the condition, the message and the place, then aborts. Errors that a user can cause go
// to Diagnostics (ir/support/diagnostics.hpp) or Status (ir/support/status.hpp) instead.
#pragma once

#include <string_view>

namespace hyperion {

// Called by HYP_CHECK. `context` is extra state that a room registered, for example the running pass.
[[noreturn]] void check_failed(const char* condition, std::string_view message, const char* file,
                               int line);

// What the process is doing right now ("pass fuse, rewrite 131"), printed by a failed check. Thread safety: one
// text per thread.
void set_check_context(std::string_view text);

}  // namespace hyperion

#define HYP_CHECK(condition, message)                                       \
  do {                                                                      \
    if (!(condition)) [[unlikely]]                                          \
      ::hyperion::check_failed(#condition, (message), __FILE__, __LINE__);  \
  } while (false)

#ifdef NDEBUG
#define HYP_DCHECK(condition, message) \
  do {                                 \
  } while (false)
#else
#define HYP_DCHECK(condition, message) HYP_CHECK(condition, message)
#endif

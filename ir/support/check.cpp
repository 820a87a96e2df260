#include "ir/support/check.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "ir/support/check_handler.hpp"

namespace hyperion {
namespace {
thread_local std::string check_context;
CheckHandler check_handler = nullptr;
}  // namespace

void set_check_handler(CheckHandler handler) { check_handler = handler; }

void set_check_context(std::string_view text) { check_context.assign(text); }

void check_failed(const char* condition, std::string_view message, const char* file, int line) {
  std::fprintf(stderr, "hyperion: internal error: %.*s\n  check:  %s\n  at:     %s:%d\n",
               static_cast<int>(message.size()), message.data(), condition, file, line);
  if (!check_context.empty()) std::fprintf(stderr, "  during: %s\n", check_context.c_str());
  // Once only: a handler that breaks an invariant itself must not be called for that.
  if (CheckHandler handler = std::exchange(check_handler, nullptr)) handler({condition, message, check_context});
  std::abort();
}

}  // namespace hyperion

#include "ir/support/check.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

namespace hyperion {
namespace {
thread_local std::string check_context;
}  // namespace

void set_check_context(std::string_view text) { check_context.assign(text); }

void check_failed(const char* condition, std::string_view message, const char* file, int line) {
  std::fprintf(stderr, "hyperion: internal error: %.*s\n  check:  %s\n  at:     %s:%d\n",
               static_cast<int>(message.size()), message.data(), condition, file, line);
  if (!check_context.empty()) std::fprintf(stderr, "  during: %s\n", check_context.c_str());
  std::abort();
}

}  // namespace hyperion

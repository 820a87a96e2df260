// log.hpp: lines for us, not for users. What a user should know is a diagnostic or a remark.
//
// One logger per folder ("passes.fuse", "codegen.llvm", "runtime"), on stderr only, silent below `warn` unless
// HYPERION_LOG says otherwise: HYPERION_LOG=passes.fuse=debug,runtime=info  (or just HYPERION_LOG=debug).
// Thread safety: all functions may be called from any thread.
#pragma once

#include <string_view>

namespace hyperion {

enum class LogLevel { debug, info, warn, error };

bool log_enabled(std::string_view logger, LogLevel level);
void log_line(std::string_view logger, LogLevel level, std::string_view text);

}  // namespace hyperion

// The text is only built when the level is on: HYP_LOG("runtime", info, format("loaded {}", path));
#define HYP_LOG(logger, level, text)                                                \
  do {                                                                              \
    if (::hyperion::log_enabled((logger), ::hyperion::LogLevel::level)) [[unlikely]] \
      ::hyperion::log_line((logger), ::hyperion::LogLevel::level, (text));           \
  } while (false)

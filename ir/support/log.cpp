#include "ir/support/log.hpp"

#include <spdlog/cfg/helpers.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

namespace hyperion {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  constexpr spdlog::level::level_enum levels[] = {spdlog::level::debug, spdlog::level::info,
                                                  spdlog::level::warn, spdlog::level::err};
  return levels[static_cast<int>(level)];
}

// Loggers are made on first use and live as long as the process.
class Loggers {
 public:
  Loggers() : sink_(std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    sink_->set_pattern("%H:%M:%S.%e %n %l: %v");
    spdlog::set_level(spdlog::level::warn);
    if (const char* text = std::getenv("HYPERION_LOG")) spdlog::cfg::helpers::load_levels(text);
  }

  spdlog::logger& get(std::string_view name) {
    std::lock_guard lock(mutex_);
    auto found = loggers_.find(name);
    if (found == loggers_.end()) {
      auto logger = std::make_shared<spdlog::logger>(std::string(name), sink_);
      spdlog::initialize_logger(logger);
      found = loggers_.emplace(name, std::move(logger)).first;
    }
    return *found->second;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<spdlog::sinks::stderr_sink_mt> sink_;
  std::map<std::string, std::shared_ptr<spdlog::logger>, std::less<>> loggers_;
};

Loggers& loggers() {
  static Loggers* instance = new Loggers;  // never destroyed: worker threads may log during exit
  return *instance;
}

}  // namespace

bool log_enabled(std::string_view logger, LogLevel level) {
  return loggers().get(logger).should_log(to_spdlog(level));
}

void log_line(std::string_view logger, LogLevel level, std::string_view text) {
  loggers().get(logger).log(to_spdlog(level), "{}", text);
}

}  // namespace hyperion

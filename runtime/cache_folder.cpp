#include "runtime/cache_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "ir/support/format.hpp"
#include "runtime/cache.hpp"

namespace hyperion::runtime {

namespace fs = std::filesystem;

std::string default_cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string folder = variable("HYPERION_CACHE_DIR"); !folder.empty()) return folder;
  if (const std::string base = variable("XDG_CACHE_HOME"); !base.empty()) return base + "/hyperion";
  if (const std::string home = variable("HOME"); !home.empty()) return home + "/.cache/hyperion";
  return {};
}

std::string unusable_cache_folder(const std::string& folder) {
  if (folder.empty()) return "neither HYPERION_CACHE_DIR, XDG_CACHE_HOME nor HOME is set";
  std::error_code error;
  const bool existed = fs::exists(folder, error);
  fs::create_directories(folder, error);
  if (error) return format("cannot create {}: {}", folder, error.message());
  if (!existed) chmod(folder.c_str(), 0700);
  struct stat info = {};
  if (stat(folder.c_str(), &info) != 0) return format("{}: {}", folder, std::strerror(errno));
  if (!S_ISDIR(info.st_mode)) return format("{} is not a folder", folder);
  if (info.st_uid != geteuid()) return format("{} belongs to another user", folder);
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return format("{} is writable by others", folder);
  if (access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    return format("{}: {}", folder, std::strerror(errno));
  }
  return {};
}

}  // namespace hyperion::runtime

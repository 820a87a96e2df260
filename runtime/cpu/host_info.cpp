#include "runtime/cpu/host_info.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace hyperion::runtime {
namespace {

// The value behind "key : value" of the first processor, for x86 ("model name", "flags") and
// AArch64 ("Features").
std::string cpuinfo_value(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? std::string() : line.substr(begin);
  }
  return {};
}

int allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

std::uint64_t system_value(int name) {
  const long value = sysconf(name);
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

HostInfo detect() {
  // Only the first processor: a large machine lists hundreds, and reading each takes the kernel a
  // while.
  std::ifstream file("/proc/cpuinfo");
  std::string text;
  for (std::string line; std::getline(file, line) && !line.empty();) text += line + '\n';

  HostInfo info;
  info.name = cpuinfo_value(text, "model name");
  if (info.name.empty()) info.name = "unknown";
  std::istringstream words(cpuinfo_value(text, "flags") + " " + cpuinfo_value(text, "Features"));
  for (std::string word; words >> word;) info.features.push_back(word);
  info.cores = allowed_cores();
  info.memory_bytes = system_value(_SC_PHYS_PAGES) * system_value(_SC_PAGESIZE);
  info.l1_bytes = system_value(_SC_LEVEL1_DCACHE_SIZE);
  info.l2_bytes = system_value(_SC_LEVEL2_CACHE_SIZE);
  info.l3_bytes = system_value(_SC_LEVEL3_CACHE_SIZE);
  return info;
}

}  // namespace

const HostInfo& host_info() {
  static const HostInfo info = detect();
  return info;
}

}  // namespace hyperion::runtime

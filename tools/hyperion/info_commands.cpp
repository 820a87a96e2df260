// devices, cache, version.
#include <cstdio>

#include "codegen/llvm/target.hpp"
#include "frontend/engine.hpp"
#include "ir/support/format.hpp"
#include "runtime/cache.hpp"
#include "runtime/device_kinds.hpp"
#include "tools/hyperion/commands.hpp"
#include "tools/hyperion/progress_line.hpp"
#include "tools/hyperion/tuning.hpp"

namespace hyperion::tools {
namespace {

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

runtime::DiskCache open_cache() {
  return runtime::DiskCache(runtime::CacheOptions{.folder = {}, .producer = {}});
}

}  // namespace

// The host's with what code generation makes of it; then, of every other kind, the devices and what
// compiles for them, or why there are none.
void list_devices() {
  const codegen::CpuTarget target = codegen::host_target();
  for (const runtime::Device& device : frontend::instance()->devices()) {
    print(format("{}  {}, {} with vectors of {} bits\n", device.name(), device.description(),
                 target.cpu, target.vector_bits));
  }
  for (const runtime::DeviceKind& kind : runtime::device_kinds().subspan(1)) {
    const StatusOr<std::vector<std::string>> devices = kind.describe();
    if (!devices) {
      print(format("{}  {}\n", kind.name, devices.error().text()));
      continue;
    }
    for (std::size_t ordinal = 0; ordinal < devices->size(); ++ordinal) {
      print(format("{}:{}  {}\n", kind.name, ordinal, (*devices)[ordinal]));
    }
    if (kind.describe_compiler == nullptr) continue;
    const StatusOr<std::string> compiler = kind.describe_compiler();
    print(format("{}  {}\n", kind.name,
                 compiler ? "code is compiled by " + *compiler : compiler.error().text()));
  }
}

void list_cache() {
  const runtime::DiskCache cache = open_cache();
  std::uint64_t total = 0;
  const auto entries = cache.list();
  for (const runtime::CacheEntry& entry : entries) {
    print(format("{}  {:>8.1f} KiB  {}\n", moment_text(entry.last_used),
                 static_cast<double>(entry.bytes) / 1024, entry.path));
    total += entry.bytes;
  }
  print(format("tuning: {}\n", tuning_summary(*open_tuning_store())));
  print(format("{} entries, {:.1f} MiB\n", entries.size(),
               static_cast<double>(total) / (1024 * 1024)));
}

void clear_cache() {
  runtime::DiskCache cache = open_cache();
  if (!cache.disabled_because().empty()) {
    throw Error(Code::failed_precondition, "the cache is off: " + cache.disabled_because());
  }
  print(format("removed {} entries\n", cache.clear()));
  print(format("removed {} measurements\n", open_tuning_store()->forget()));
}

void print_cache_path() { print(runtime::default_cache_folder() + "\n"); }

std::string version_text() { return "hyperion " HYPERION_VERSION; }
void print_version() { print(version_text() + "\n"); }

}  // namespace hyperion::tools

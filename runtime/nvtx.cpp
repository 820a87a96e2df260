// Numbers and layouts are those of NVTX 3's interface to tools, which is stable: tools and programs
// of different ages meet there.
#include "runtime/nvtx.hpp"

#include <array>
#include <cstddef>
#include <cstdlib>

#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "runtime/cuda/library.hpp"

namespace hyperion::runtime {
namespace {

using AnyFunction = void (*)();

// A tool asks for export tables by number, and in the one of callbacks for the table of a module.
constexpr std::uint32_t kCallbacks = 1;
constexpr std::uint32_t kVersionInfo = 3;
constexpr int kCoreModule = 1;  // plain ranges and marks; others are about domains and names

// Places in the core module's table. The tool fills in all that it knows; we call two.
constexpr std::size_t kRangePush = 9;
constexpr std::size_t kRangePop = 11;
constexpr std::size_t kCoreSize = 16;

std::array<AnyFunction, kCoreSize> g_filled_in;
NvtxFunctions g_functions;

// Place 0 has no function; each other points at where the tool writes.
std::array<AnyFunction*, kCoreSize> places() {
  std::array<AnyFunction*, kCoreSize> all = {};
  for (std::size_t i = 1; i < kCoreSize; ++i) all[i] = &g_filled_in[i];
  return all;
}

struct Callbacks {
  std::size_t struct_size;
  int (*module_table)(int module, AnyFunction*** table, unsigned* size);
};

int module_table(int module, AnyFunction*** table, unsigned* size) {
  static std::array<AnyFunction*, kCoreSize> core = places();
  if (module != kCoreModule) return 0;
  if (table != nullptr) *table = core.data();
  if (size != nullptr) *size = kCoreSize;
  return 1;
}

struct VersionInfo {
  std::size_t struct_size;
  std::uint32_t version;
  std::uint32_t reserved;
  void (*tool_speaks)(std::uint32_t version);
};

const void* export_table(std::uint32_t id) {
  static constexpr Callbacks kTable = {sizeof(Callbacks), module_table};
  static constexpr VersionInfo kVersion = {sizeof(VersionInfo), 3, 0, [](std::uint32_t) {}};
  if (id == kCallbacks) return &kTable;
  return id == kVersionInfo ? &kVersion : nullptr;
}

void connect_to_tool() {
  const char* path = std::getenv("NVTX_INJECTION64_PATH");
  if (path == nullptr || *path == '\0') return;
  const StatusOr<cuda::SharedLibrary> opened = cuda::SharedLibrary::open(path);
  if (!opened) {
    HYP_LOG("runtime", warn, format("no NVTX ranges: {}", opened.error().text()));
    return;
  }
  connect_nvtx(reinterpret_cast<NvtxInitialize>(opened->symbol("InitializeInjectionNvtx2")));
  HYP_LOG("runtime", info,
          format("NVTX ranges go {} {}", g_functions.push != nullptr ? "to" : "nowhere: refused by",
                 path));
}

}  // namespace

void connect_nvtx(NvtxInitialize initialize) {
  g_filled_in = {};
  g_functions = {};
  if (initialize == nullptr || initialize(export_table) == 0) return;
  const NvtxFunctions found = {
      reinterpret_cast<int (*)(const char*)>(g_filled_in[kRangePush]),
      reinterpret_cast<int (*)()>(g_filled_in[kRangePop]),
  };
  if (found.push != nullptr && found.pop != nullptr) g_functions = found;
}

const NvtxFunctions& nvtx_functions() {
  static const bool is_connected = (connect_to_tool(), true);
  static_cast<void>(is_connected);
  return g_functions;
}

}  // namespace hyperion::runtime

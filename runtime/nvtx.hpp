// nvtx.hpp: ranges that NVIDIA's tools (Nsight Systems, Nsight Compute) show on their timelines.
//
// A tool names a library of its own in NVTX_INJECTION64_PATH and starts the program. The first
// range opens that library and hands it a table of places for functions; the tool puts its
// functions there. So nothing is linked or installed for it, and without a tool a range is one
// comparison. That is the protocol which NVIDIA's own headers speak
// (docs/decisions/0016-nvtx-by-its-protocol.md).
//
// Thread safety: all functions; a range begins and ends on one thread, and ranges of a thread nest.
#pragma once

#include <cstdint>

namespace hyperion::runtime {

struct NvtxFunctions {
  int (*push)(const char* name) = nullptr;  // null, like pop, when no tool listens
  int (*pop)() = nullptr;
};

// Of the tool, which is looked for once.
const NvtxFunctions& nvtx_functions();

// What a tool's library exports as InitializeInjectionNvtx2: non-zero when it listens.
using NvtxExportTables = const void* (*)(std::uint32_t id);
using NvtxInitialize = int (*)(NvtxExportTables tables);
// From now on ranges go to this tool; null: to none. For tests: while no range is open.
void connect_nvtx(NvtxInitialize initialize);

class NvtxRange {
 public:
  explicit NvtxRange(const char* name) : is_open_(nvtx_functions().push != nullptr) {
    if (is_open_) nvtx_functions().push(name);
  }
  ~NvtxRange() {
    if (is_open_) nvtx_functions().pop();
  }
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;

 private:
  const bool is_open_;
};

}  // namespace hyperion::runtime

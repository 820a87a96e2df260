// emitted_kernel.hpp: what a code generator made of a kernel, whatever it generates code for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hyperion::codegen {

using ObjectBytes = std::vector<std::byte>;

struct KernelLaunch {
  std::string symbol;
  std::int64_t tiles = 0;
  std::int64_t scratch_bytes = 0;  // for each thread, 64-byte aligned
};

struct EmittedKernel {
  std::vector<KernelLaunch> launches;  // in order, each after the one before it has finished
  std::int64_t workspace_bytes = 0;    // an extra buffer after the kernel's parameters, if not 0; dead afterwards
  std::string schedule;                // of a contraction, for dumps
};

}  // namespace hyperion::codegen

// emitted_kernel.hpp: what a code generator made of a kernel, whatever it generates code for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/plan.hpp"

namespace hyperion::codegen {

using ObjectBytes = std::vector<std::byte>;

struct KernelLaunch {
  // The group's work, or a step beside it: pack copies an operand into the workspace, combine finishes what lies there.
  enum class Part : std::uint8_t { work, pack, combine };

  std::string symbol;
  std::int64_t tiles = 0;
  std::int64_t scratch_bytes = 0;  // for each thread, 64-byte aligned
  Part part = Part::work;
  runtime::ArithmeticUnit unit = runtime::ArithmeticUnit::vector;
};

struct EmittedKernel {
  std::vector<KernelLaunch> launches;  // in order, each after the one before it has finished
  std::int64_t workspace_bytes = 0;    // an extra buffer after the kernel's parameters, if not 0; dead afterwards
  std::string schedule;                // of a contraction, for dumps
};

}  // namespace hyperion::codegen

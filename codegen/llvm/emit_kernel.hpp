// emit_kernel.hpp: a kernel function becomes LLVM IR, op by op.
//
// Every kernel op has one small translation; elementwise ops are their scalar programs. The outermost parallel loop runs
// over the tiles that the caller asks for, so the same code serves any number of threads.
#pragma once

#include <string>
#include <vector>

#include "codegen/llvm/contraction.hpp"
#include "codegen/llvm/jit.hpp"
#include "ir/module.hpp"

namespace hyperion::codegen {

// Adds `kernel` to `module` under the symbol `symbol` (contractions may add a second launch).
// REQUIRES: verify() accepts the kernel. `tiles` is the trip count of its parallel loop; `threads` guides schedules.
StatusOr<EmittedKernel> emit_kernel(IrModule& module, const ir::Function& kernel, const std::string& symbol,
                                    std::int64_t tiles, int threads);

}  // namespace hyperion::codegen

// emit_sort.hpp: `sort_lines` with its block, as CUDA C++.
#pragma once

#include "codegen/cuda/emit_kernel.hpp"

namespace hyperion::codegen {

// A kernel around `lines`, and one more for each doubling of what a block sorts up to the length of a line.
StatusOr<CudaKernelText> emit_cuda_sort(const ir::Function& kernel, const ir::Op& lines, const CudaTarget& target,
                                        CppScalarFunctions& scalars);

}  // namespace hyperion::codegen

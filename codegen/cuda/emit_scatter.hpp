// emit_scatter.hpp: `scatter_lines` with its blocks, as CUDA C++.
#pragma once

#include "codegen/cuda/emit_kernel.hpp"

namespace hyperion::codegen {

// A kernel around `lines`. Updates of an element combine in their order, as on the CPU.
StatusOr<CudaKernelText> emit_cuda_scatter(const ir::Function& kernel, const ir::Op& lines, const CudaTarget& target,
                                           CppScalarFunctions& scalars);

}  // namespace hyperion::codegen

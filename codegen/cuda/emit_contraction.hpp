// emit_contraction.hpp: `contract` and `convolve` with their bodies, as CUDA C++.
#pragma once

#include "codegen/cuda/emit_kernel.hpp"

namespace hyperion::codegen {

// A kernel around `anchor`. Every element of the result is one ascending fma chain, as on the CPU.
StatusOr<CudaKernelText> emit_cuda_contraction(const ir::Function& kernel, const ir::Op& anchor,
                                               const CudaTarget& target, CppScalarFunctions& scalars,
                                               ScheduleTable& schedules);

}  // namespace hyperion::codegen

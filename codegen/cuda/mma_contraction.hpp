// mma_contraction.hpp: the engine `mma` of tensor_contraction.hpp: cp.async, ldmatrix and mma.sync, on sm_80 and later.
//
// A block has one tile of the result, each warp a rectangle of it. Before step k of depth is multiplied, each thread
// starts to copy its chunks of step k + stages - 1, so that many steps are under way. Lines that begin at multiples of
// 16, 8 or 4 bytes are copied past the registers; where they begin anywhere they are fetched into registers before the
// product and kept in shared memory after it.
#pragma once

#include "codegen/cuda/tensor_contraction.hpp"

namespace hyperion::codegen {

bool fits_mma(const TensorProblem& problem, const CudaTarget& target);
std::vector<TensorSchedule> mma_schedules(const TensorProblem& problem, const CudaTarget& target);
AsyncProgram mma_program(const TensorProblem& problem, const TensorSchedule& schedule);
TensorKernel print_mma_kernel(const TensorProblem& problem, const TensorSchedule& schedule, const AsyncProgram& program,
                              const TensorHoles& holes);

}  // namespace hyperion::codegen

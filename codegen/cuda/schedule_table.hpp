// schedule_table.hpp: which schedule a product on the tensor cores gets: what was measured, else the model's pick.
#pragma once

#include <optional>
#include <string>

#include "codegen/cuda/tensor_contraction.hpp"

namespace hyperion::codegen {

// What a measurement is filed under: element type, layouts and sizes, and the machine. Batches count as rows.
std::string schedule_key(const TensorProblem& problem, const CudaTarget& target);

// The process's table. Thread safe.
std::optional<TensorSchedule> known_schedule(const TensorProblem& problem, const CudaTarget& target);
void set_schedule(const TensorProblem& problem, const CudaTarget& target, const TensorSchedule& schedule);

// REQUIRES: fits_tensor_cores().
TensorSchedule choose_schedule(const TensorProblem& problem, const CudaTarget& target);

}  // namespace hyperion::codegen

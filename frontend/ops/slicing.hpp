// slicing.hpp: view ops whose arguments are ready. Internal to this folder; users have shape.hpp and indexing.hpp.
#pragma once

#include "frontend/tensor.hpp"

namespace hyperion::frontend {

Tensor slice(const Tensor& x, ir::Integers starts, ir::Integers limits, ir::Integers strides, Location where);
Tensor slice_axis(const Tensor& x, int axis, std::int64_t start, std::int64_t limit, Location where);
Tensor reverse(const Tensor& x, ir::Integers axes, Location where);
Tensor permute(const Tensor& x, ir::Integers permutation, Location where);

}  // namespace hyperion::frontend

// normalization.hpp: what layer_norm, rms_norm and the batch norms share.
#pragma once

#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

// x / sqrt(variance + epsilon), where variance has lost `axes`.
Value normalized(Value x, Value variance, const Integers& axes, double epsilon);
// (C1) a floating x; (C2) each other operand has x's element type and the dimensions of x at `axes`.
Result<> check_parameters(const InferContext& c, const Integers& axes);

}  // namespace hyperion::ir::ops

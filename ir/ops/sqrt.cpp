// sqrt.cpp: square root, correctly rounded.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_sqrt() {
  OpDefinition op = unary_op("sqrt", "Square root, correctly rounded; NaN below zero.", floating_dtype,
                             "a floating-point type");
  op.primitive = Primitive::sqrt;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * (0.5 / c.result())); };
  op.example = "sqrt %x";
  return op;
}

}  // namespace hyperion::ir::ops

// relu.cpp: x where positive, else 0; NaN stays NaN. The derivative at 0 is 0.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_relu() {
  OpDefinition op = unary_op("relu", "x where positive, else 0; NaN stays NaN.", numeric_dtype, "a number");
  op.expand = [](const ExpandContext& c) {
    const Scalar zero = c.constant(0.0);
    return select(c[0] <= zero, zero, c[0]);
  };
  op.is_smooth = false;
  op.jvp = [](JvpContext& c) {
    const Value zero = c.builder.zeros(c.operand(0).type());
    return only(c.builder.select(c.builder.compare(c.operand(0), zero, "gt"), c.tangent(), zero));
  };
  op.example = "relu %x";
  return op;
}

}  // namespace hyperion::ir::ops

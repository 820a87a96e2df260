// rem.cpp: remainder of truncated division.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_rem() {
  OpDefinition op = binary_op("rem",
                              "x - y * trunc(x / y), exact, with the sign of x (as fmod in C); integers: x rem 0 = x.",
                              numeric_dtype, "a number");
  op.primitive = Primitive::rem;
  op.is_expensive = true;
  op.is_smooth = false;
  op.jvp = [](JvpContext& c) {
    Value tangent = c.tangent(0);
    if (c.has_tangent(1)) {
      const Value whole = unary("trunc", c.operand(0) / c.operand(1));
      tangent = c.builder.accumulate(tangent, -(c.tangent(1) * whole));
    }
    return only(tangent);
  };
  op.example = "rem %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

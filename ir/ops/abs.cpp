// abs.cpp: absolute value.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_abs() {
  OpDefinition op = unary_op("abs", "Absolute value. The lowest signed integer stays as it is.", signed_dtype,
                             "a signed number");
  op.primitive = Primitive::abs;
  op.is_smooth = false;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * unary("sign", c.operand(0))); };
  op.example = "abs %x";
  return op;
}

}  // namespace hyperion::ir::ops

// sub.cpp: elementwise difference. Integers wrap.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_sub() {
  OpDefinition op = binary_op("sub", "Elementwise difference. Integers wrap.", numeric_dtype, "a number");
  op.primitive = Primitive::sub;
  op.linearity = Linearity::jointly;
  op.operands[0].linear = op.operands[1].linear = true;
  op.transpose = [](TransposeContext& c) {
    return std::vector{c.is_linear(0) ? c.cotangent() : Value{}, c.is_linear(1) ? -c.cotangent() : Value{}};
  };
  op.example = "sub %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

// add.cpp: elementwise sum. Integers wrap.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_add() {
  OpDefinition op = binary_op("add", "Elementwise sum. Integers wrap.", numeric_dtype, "a number");
  op.primitive = Primitive::add;
  op.is_commutative = true;
  op.linearity = Linearity::jointly;
  op.operands[0].linear = op.operands[1].linear = true;
  op.transpose = [](TransposeContext& c) {
    return std::vector{c.is_linear(0) ? c.cotangent() : Value{}, c.is_linear(1) ? c.cotangent() : Value{}};
  };
  op.example = "add %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

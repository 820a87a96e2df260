// mul.cpp: elementwise product. Integers wrap.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_mul() {
  OpDefinition op = binary_op("mul", "Elementwise product. Integers wrap.", numeric_dtype, "a number");
  op.primitive = Primitive::mul;
  op.is_commutative = true;
  op.linearity = Linearity::separately;
  op.operands[0].linear = op.operands[1].linear = true;
  op.transpose = [](TransposeContext& c) {
    return std::vector{c.is_linear(0) ? c.cotangent() * c.operand(1) : Value{},
                       c.is_linear(1) ? c.operand(0) * c.cotangent() : Value{}};
  };
  op.example = "mul %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

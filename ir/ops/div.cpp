// div.cpp: elementwise quotient.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_div() {
  OpDefinition op = binary_op("div",
                              "Elementwise quotient. Integers truncate towards zero; x / 0 = 0 and lowest / -1 = "
                              "lowest for integers.",
                              numeric_dtype, "a number");
  op.primitive = Primitive::div;
  op.is_expensive = true;
  // Linear in the numerator alone; the rule below covers both operands.
  op.jvp = [](JvpContext& c) {
    Value tangent;
    if (c.has_tangent(0)) tangent = c.tangent(0) / c.operand(1);
    if (c.has_tangent(1)) {
      tangent = c.builder.accumulate(tangent, -(c.tangent(1) * (c.result() / c.operand(1))));
    }
    return only(tangent);
  };
  op.linearity = Linearity::separately;
  op.operands[0].linear = true;
  op.transpose = [](TransposeContext& c) { return std::vector{c.cotangent() / c.operand(1), Value{}}; };
  op.example = "div %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

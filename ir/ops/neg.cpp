// neg.cpp: sign flipped. Integers: 0 - x.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_neg() {
  OpDefinition op = unary_op("neg", "The argument with its sign flipped; integers wrap.", signed_dtype,
                             "a signed number");
  op.primitive = Primitive::neg;
  op.linearity = Linearity::jointly;
  op.operands[0].linear = true;
  op.transpose = [](TransposeContext& c) { return only(-c.cotangent()); };
  op.example = "neg %x";
  return op;
}

}  // namespace hyperion::ir::ops

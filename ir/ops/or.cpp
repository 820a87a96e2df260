// or.cpp: bitwise or; logical for bool.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_or() {
  OpDefinition op = binary_op("or", "Bitwise or; logical for bool.", bits_dtype, "an integer or bool");
  op.primitive = Primitive::or_;
  op.is_commutative = true;
  op.example = "or %p, %q";
  return op;
}

}  // namespace hyperion::ir::ops

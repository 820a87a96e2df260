// xor.cpp: bitwise xor; logical for bool.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_xor() {
  OpDefinition op = binary_op("xor", "Bitwise xor; logical for bool.", bits_dtype, "an integer or bool");
  op.primitive = Primitive::xor_;
  op.is_commutative = true;
  op.example = "xor %p, %q";
  return op;
}

}  // namespace hyperion::ir::ops

// and.cpp: bitwise and; logical for bool.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_and() {
  OpDefinition op = binary_op("and", "Bitwise and; logical for bool.", bits_dtype, "an integer or bool");
  op.primitive = Primitive::and_;
  op.is_commutative = true;
  op.example = "and %p, %q";
  return op;
}

}  // namespace hyperion::ir::ops

// not.cpp: bitwise complement; logical for bool.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_not() {
  OpDefinition op = unary_op("not", "Bitwise complement; logical for bool.", bits_dtype, "an integer or bool");
  op.primitive = Primitive::not_;
  op.example = "not %p";
  return op;
}

}  // namespace hyperion::ir::ops

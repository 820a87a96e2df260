// shl.cpp: shift left.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_shl() {
  OpDefinition op = binary_op("shl", "Shift left; 0 when the count is not in [0, width).", integer_dtype, "an integer");
  op.primitive = Primitive::shl;
  op.example = "shl %i, %j";
  return op;
}

}  // namespace hyperion::ir::ops

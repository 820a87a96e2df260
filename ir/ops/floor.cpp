// floor.cpp: rounds towards minus infinity.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_floor() {
  OpDefinition op = unary_op("floor", "Rounds towards minus infinity; the result keeps its type.", floating_dtype,
                             "a floating-point type");
  op.primitive = Primitive::floor;
  op.is_smooth = false;
  op.example = "floor %x";
  return op;
}

}  // namespace hyperion::ir::ops

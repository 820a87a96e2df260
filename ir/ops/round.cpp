// round.cpp: rounds to the nearest integer, ties to even.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_round() {
  OpDefinition op = unary_op("round", "Rounds to the nearest integer, ties to even; the result keeps its type.", floating_dtype,
                             "a floating-point type");
  op.primitive = Primitive::round;
  op.is_smooth = false;
  op.example = "round %x";
  return op;
}

}  // namespace hyperion::ir::ops

// trunc.cpp: rounds towards zero.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_trunc() {
  OpDefinition op = unary_op("trunc", "Rounds towards zero; the result keeps its type.", floating_dtype,
                             "a floating-point type");
  op.primitive = Primitive::trunc;
  op.is_smooth = false;
  op.example = "trunc %x";
  return op;
}

}  // namespace hyperion::ir::ops

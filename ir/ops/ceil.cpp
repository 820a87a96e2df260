// ceil.cpp: rounds towards plus infinity.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_ceil() {
  OpDefinition op = unary_op("ceil", "Rounds towards plus infinity; the result keeps its type.", floating_dtype,
                             "a floating-point type");
  op.primitive = Primitive::ceil;
  op.is_smooth = false;
  op.example = "ceil %x";
  return op;
}

}  // namespace hyperion::ir::ops

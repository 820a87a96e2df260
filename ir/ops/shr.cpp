// shr.cpp: shift right: arithmetic for signed, logical for unsigned integers.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_shr() {
  OpDefinition op = binary_op("shr",
                              "Shift right, arithmetic for signed and logical for unsigned integers; a count outside "
                              "[0, width) gives 0, or -1 for negative numbers.",
                              integer_dtype, "an integer");
  op.primitive = Primitive::shr;
  op.example = "shr %i, %j";
  return op;
}

}  // namespace hyperion::ir::ops

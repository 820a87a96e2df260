// max.cpp: IEEE 754-2019 maximum: NaN propagates, -0 < +0.
#include "ir/ops/extreme.hpp"

namespace hyperion::ir::ops {

OpDefinition op_max() {
  return extreme_op("max", "IEEE 754-2019 maximum: NaN if either operand is NaN, and -0 < +0.", Primitive::max, "gt",
                    "max %x, %y");
}

}  // namespace hyperion::ir::ops

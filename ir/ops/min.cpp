// min.cpp: IEEE 754-2019 minimum: NaN propagates, -0 < +0.
#include "ir/ops/extreme.hpp"

namespace hyperion::ir::ops {

OpDefinition op_min() {
  return extreme_op("min", "IEEE 754-2019 minimum: NaN if either operand is NaN, and -0 < +0.", Primitive::min, "lt",
                    "min %x, %y");
}

}  // namespace hyperion::ir::ops

// is_finite.cpp: neither infinite nor NaN.
#include <limits>

#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_is_finite() {
  OpDefinition op = unary_op("is_finite", "Whether x is neither infinite nor NaN.", floating_dtype,
                             "a floating-point type");
  op.infer = [operand = op.infer](const InferContext& c) -> InferResult {
    HYP_TRY(const std::vector<Type> types, operand(c));
    return std::vector{types[0].with_dtype(DType::bool_)};
  };
  op.expand = [](const ExpandContext& c) {
    return abs(c[0]) < c.constant(std::numeric_limits<double>::infinity());
  };
  op.is_smooth = false;
  op.example = "is_finite %x";
  return op;
}

}  // namespace hyperion::ir::ops

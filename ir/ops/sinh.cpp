// sinh.cpp: hyperbolic sine.
//
// From E = e^|x| / 2, which overflows when the result does: E - 1/(4E); near 0 from m = e^|x| - 1: (m + m/(m + 1)) / 2.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar sinh_in_f64(const ExpandContext& c) {
  const Scalar x = c[0], magnitude = abs(x);
  ExpReduction reduction = reduce_exp(min(magnitude, c.constant(712.0)));
  const Scalar y = exp_minus_one_of_reduced(reduction.r), half = half_power(reduction);
  reduction.shifted_n = reduction.shifted_n - integer(reduction.shifted_n, 1);
  const Scalar half_exp = scale_by_power(y + 1.0, reduction);
  const Scalar half_expm1 = fma(y, half, half - 0.5);
  const Scalar is_near = magnitude < c.constant(1.0);
  const Scalar first = select(is_near, half_expm1, half_exp);
  const Scalar numerator = select(is_near, half_expm1, c.constant(-0.25));
  const Scalar denominator = select(is_near, half_expm1 * 2.0 + 1.0, half_exp);
  const Scalar value = copy_sign(first + numerator / denominator, x);
  return select(magnitude < c.constant(0x1p-28), x, value);
}

Scalar expand_sinh(const ExpandContext& c) { return computed_in_f64(c, sinh_in_f64); }

}  // namespace

OpDefinition op_sinh() {
  OpDefinition op = unary_op("sinh", "Hyperbolic sine.", floating_dtype, "a floating-point type");
  op.expand = expand_sinh;
  op.ulp_f32 = 0.501;
  op.ulp_f64 = 2.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * unary("cosh", c.operand(0))); };
  op.example = "sinh %x";
  return op;
}

}  // namespace hyperion::ir::ops

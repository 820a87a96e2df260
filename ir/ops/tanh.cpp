// tanh.cpp: hyperbolic tangent.
//
// With m = e^(2|x|) - 1: tanh |x| = m / (m + 2).
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_tanh(const ExpandContext& c) {
  const bool f32 = c.is_f32();
  const Scalar x = c[0], magnitude = abs(x);
  // Beyond these bounds the result rounds to 1.
  const ExpReduction reduction = reduce_exp(min(magnitude, c.constant(f32 ? 9.25 : 20.0)) * 2.0);
  const Scalar half = half_power(reduction);
  const Scalar half_m = fma(exp_minus_one_of_reduced(reduction.r), half, half - 0.5);
  const Scalar value = copy_sign(half_m / (half_m + 1.0), x);
  return select(magnitude < c.constant(f32 ? 0x1p-14 : 0x1p-28), x, value);
}

}  // namespace

OpDefinition op_tanh() {
  OpDefinition op = unary_op("tanh", "Hyperbolic tangent.", floating_dtype, "a floating-point type");
  op.expand = expand_tanh;
  op.ulp_f32 = 2.5;
  op.ulp_f64 = 2.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * ((1.0 - c.result()) * (c.result() + 1.0))); };
  op.example = "tanh %x";
  return op;
}

}  // namespace hyperion::ir::ops

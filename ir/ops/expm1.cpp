// expm1.cpp: e to the power x, minus one.
//
// With e^x = 2^n (1 + y): 2^n y + (2^n - 1), all halved on the way so that 2^n does not overflow before the result does.
// The smallest arguments are their own result; that also keeps -0.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_expm1(const ExpandContext& c) {
  const bool f32 = c.is_f32();
  const Scalar x = c[0];
  const Scalar bounded = max(min(x, c.constant(f32 ? 89.0 : 710.0)), c.constant(f32 ? -20.0 : -40.0));
  const ExpReduction reduction = reduce_exp(bounded);
  const Scalar half = half_power(reduction);
  const Scalar y = fma(exp_minus_one_of_reduced(reduction.r), half, half - 0.5) * 2.0;
  return select(abs(x) < c.constant(f32 ? 0x1p-26 : 0x1p-55), x, y);
}

}  // namespace

OpDefinition op_expm1() {
  OpDefinition op = unary_op("expm1",
                             "e to the power x, minus one, accurate near 0.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_expm1;
  op.ulp_f32 = 2;
  op.ulp_f64 = 2;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * (c.result() + 1.0)); };
  op.example = "expm1 %x";
  return op;
}

}  // namespace hyperion::ir::ops

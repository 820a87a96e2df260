// cosh.cpp: hyperbolic cosine.
//
// From E = e^|x| / 2, which overflows when the result does: E + 1/(4E).
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar cosh_in_f64(const ExpandContext& c) {
  ExpReduction reduction = reduce_exp(min(abs(c[0]), c.constant(712.0)));
  reduction.shifted_n = reduction.shifted_n - integer(reduction.shifted_n, 1);
  const Scalar half_exp = scale_by_power(exp_minus_one_of_reduced(reduction.r) + 1.0, reduction);
  return half_exp + 0.25 / half_exp;
}

Scalar expand_cosh(const ExpandContext& c) { return computed_in_f64(c, cosh_in_f64); }

}  // namespace

OpDefinition op_cosh() {
  OpDefinition op = unary_op("cosh", "Hyperbolic cosine.", floating_dtype, "a floating-point type");
  op.expand = expand_cosh;
  op.ulp_f32 = 0.501;
  op.ulp_f64 = 1.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * unary("sinh", c.operand(0))); };
  op.example = "cosh %x";
  return op;
}

}  // namespace hyperion::ir::ops

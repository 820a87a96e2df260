// exp.cpp: e to the power x.
//
// x = n ln2 + r with n whole and |r| <= ln2/2, so e^x = 2^n e^r; e^r - 1 is a polynomial, and 2^n is made from exponent
// bits, in two halves so that results near overflow and among the subnormals are right.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_exp(const ExpandContext& c) {
  const bool f32 = c.is_f32();
  // Beyond these bounds the result is 0 or infinity anyway; min and max keep NaN.
  const Scalar bounded = max(min(c[0], c.constant(f32 ? 89.0 : 710.0)), c.constant(f32 ? -104.0 : -746.0));
  const ExpReduction reduction = reduce_exp(bounded);
  const Scalar p = exp_minus_one_of_reduced(reduction.r) + 1.0;
  return scale_by_power(p, reduction);
}

}  // namespace

OpDefinition op_exp() {
  OpDefinition op = unary_op("exp", "e to the power x.", floating_dtype, "a floating-point type");
  op.expand = expand_exp;
  op.ulp_f32 = 1;
  op.ulp_f64 = 1;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * c.result()); };
  op.example = "exp %x";
  return op;
}

}  // namespace hyperion::ir::ops

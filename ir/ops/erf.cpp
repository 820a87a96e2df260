// erf.cpp: the error function.
//
// Near 0 an odd polynomial; further out 1 - e^q(|x|), where q is a polynomial fit of log(1 - erf).
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

// |x| below 0.92 (f32) or 1 (f64): x + x P(x^2).
Scalar erf_near_zero(Scalar x) {
  const Scalar z = x * x;
  const Scalar p =
      x.dtype() == DType::f32
          ? polynomial(z, {0x1.5e062cp-14, -0x1.aaa2ep-11, 0x1.54d42cp-8, -0x1.b80ff2p-6, 0x1.ce2e1cp-4,
                           -0x1.812744p-2, 0x1.06eba8p-3})
          : polynomial(z, {0x1.062759c58992p-34, -0x1.38ac2290bee72p-30, 0x1.f7b99d7c7feebp-27,
                           -0x1.5f1f40faedf2dp-23, 0x1.b9df305cad588p-20, -0x1.f4d1e434bc0afp-17,
                           0x1.f9a321e4b84f7p-14, -0x1.c02db3db49762p-11, 0x1.565bcd0dbd921p-8,
                           -0x1.b82ce31284f38p-6, 0x1.ce2f21a042b34p-4, -0x1.812746b0379e6p-2, 0x1.06eba8214db69p-3});
  return fma(x, p, x);
}

// log(1 - erf(x)) from there on, as far as it matters: 4 (f32) or 6 (f64).
Scalar log_complement(Scalar x) {
  if (x.dtype() == DType::f32) {
    return polynomial(x, {0x1.2e03ap-20, -0x1.3849eep-15, 0x1.172be2p-11, -0x1.26fb9cp-8, 0x1.a69bc4p-6,
                          -0x1.bf07f6p-4, -0x1.43eeep-1, -0x1.213ab8p0, 0x1.dd9f24p-13});
  }
  return polynomial(
      x, {0x1.2ac319be427f5p-54, -0x1.6e8d90d6a43ccp-48, 0x1.a9b55992b8593p-43, -0x1.374b79b6b02e4p-38,
          0x1.41a5f07dfd88ap-34, -0x1.f36c3fd6e0ca5p-31, 0x1.2e5d12def76a2p-27, -0x1.24521b11692cap-24,
          0x1.c9d79da75439p-22, -0x1.2464a61c94b7dp-19, 0x1.30036a029159ep-17, -0x1.faf4f3041ec02p-16,
          0x1.447f6841e233p-14, -0x1.15fb3886b21a6p-13, 0x1.b80777a3948fbp-15, 0x1.0fa78b5454ddfp-11,
          -0x1.af14f6de0e8ffp-10, 0x1.7bd40bd306dc3p-13, 0x1.39938566dc577p-6, -0x1.a4f7735d9c7fcp-4,
          -0x1.45f302bd1790ap-1, -0x1.20dd738a821e3p0, -0x1.2a97115dd1495p-26});
}

Scalar expand_erf(const ExpandContext& c) {
  const bool f32 = c.is_f32();
  const Scalar x = c[0], magnitude = abs(x);
  // Beyond 4 (f32) and 6 (f64) the result rounds to 1.
  const ExpReduction reduction = reduce_exp(log_complement(min(magnitude, c.constant(f32 ? 4.0 : 6.0))));
  const Scalar twice = half_power(reduction) * 2.0;
  const Scalar far = fma(-exp_minus_one_of_reduced(reduction.r), twice, 1.0 - twice);
  const Scalar is_near = magnitude < c.constant(f32 ? 0.92 : 1.0);
  return select(is_near, erf_near_zero(x), copy_sign(far, x));
}

}  // namespace

OpDefinition op_erf() {
  OpDefinition op = unary_op("erf",
                             "The error function: 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_erf;
  op.ulp_f32 = 1.5;
  op.ulp_f64 = 1.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value x = c.operand(0);
    return only(c.tangent() * (unary("exp", -(x * x)) * 1.1283791670955125739));  // 2/sqrt(pi)
  };
  op.example = "erf %x";
  return op;
}

}  // namespace hyperion::ir::ops

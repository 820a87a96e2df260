// digamma.cpp: the derivative of lgamma.
//
// From 8 on, the asymptotic series; down to 1/2 by psi(x) = psi(x + 8) - 1/x - ... - 1/(x + 7); below by reflection,
// psi(x) = psi(1 - x) - pi / tan(pi x). Near its zeros the function is a difference of larger terms, so there the error
// is absolute.
#include <limits>

#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

// log z - 1/(2z) - sum of B2k / (2k z^2k), z >= 8.
Scalar asymptotic(Scalar z) {
  const Scalar inverse = 1.0 / z;
  const Scalar square = inverse * inverse;
  const Scalar series = polynomial(square, {-43867.0 / 14364, 3617.0 / 8160, -1.0 / 12, 691.0 / 32760, -1.0 / 132,
                                            1.0 / 240, -1.0 / 252, 1.0 / 120, -1.0 / 12});
  return call("log", z) - fma(inverse, number(z, 0.5), -(series * square));
}

// pi / tan(pi x), from the distance to the nearest whole number; NaN where that is zero.
Scalar reflection(const ExpandContext& c, Scalar x) {
  const Scalar signed_distance = x - round(x), distance = abs(signed_distance);
  const Scalar is_near = distance < c.constant(0.25);
  const Scalar angle = select(is_near, distance, 0.5 - distance) * 0x1.921fb54442d18p1;
  const SineAndCosine parts = sine_and_cosine_of_reduced({angle, c.constant(0.0), c.integer(DType::i64, 0)});
  const Scalar quotient = select(is_near, parts.cosine, parts.sine) / select(is_near, parts.sine, parts.cosine);
  const Scalar value = copy_sign(quotient * 0x1.921fb54442d18p1, signed_distance);
  return select(distance == c.constant(0.0), c.constant(std::numeric_limits<double>::quiet_NaN()), value);
}

Scalar digamma_in_f64(const ExpandContext& c) {
  const Scalar x = c[0];
  const Scalar reflects = x < c.constant(0.5);
  const Scalar y = select(reflects, 1.0 - x, x);
  const Scalar shifts = y < c.constant(8.0);
  // 1/y + ... + 1/(y + 7) as one fraction.
  Scalar numerator = c.constant(1.0), denominator = y;
  for (int k = 1; k < 8; ++k) {
    const Scalar next = y + k;
    numerator = fma(numerator, next, denominator);
    denominator = denominator * next;
  }
  const Scalar below = select(shifts, numerator / denominator, c.constant(0.0));
  const Scalar value = asymptotic(select(shifts, y + 8.0, y)) - below;
  return select(reflects, value - reflection(c, x), value);
}

Scalar expand_digamma(const ExpandContext& c) { return computed_in_f64(c, digamma_in_f64); }

// The derivative, the sum of 1/(x + k)^2 for all k >= 0, by the same three steps; written in simple ops so that it can
// be differentiated again.
Value trigamma(Value x) {
  Builder& b = *x.builder;
  const Value reflects = b.compare(x, b.constant(x.type(), 0.5), "lt");
  const Value y = b.select(reflects, 1.0 - x, x);
  Value below = b.zeros(x.type());
  for (int k = 0; k < 8; ++k) below = below + 1.0 / ((y + k) * (y + k));
  const Value z = y + 8.0;
  const Value square = 1.0 / (z * z);
  constexpr double kBernoulli[] = {-3617.0 / 510, 7.0 / 6, -691.0 / 2730, 5.0 / 66, -1.0 / 30, 1.0 / 42, -1.0 / 30, 1.0 / 6};
  Value series = b.zeros(x.type());
  for (double coefficient : kBernoulli) series = series * square + coefficient;
  const Value sum = below + (1.0 / z + 0.5 * square + series * square / z);
  const Value distance = x - unary("round", x);
  const Value sine = unary("sin", distance * 3.14159265358979323846);
  return b.select(reflects, 9.8696044010893586188 / (sine * sine) - sum, sum);  // pi^2
}

}  // namespace

OpDefinition op_digamma() {
  OpDefinition op = unary_op("digamma",
                             "The derivative of lgamma; NaN at zero and the negative whole numbers. The error is within "
                             "the stated ulp of max(|result|, 32): absolute near the function's zeros.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_digamma;
  op.ulp_f32 = 1;
  op.ulp_f64 = 4;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * trigamma(c.operand(0))); };
  op.example = "digamma %x";
  return op;
}

}  // namespace hyperion::ir::ops

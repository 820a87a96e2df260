// scalar_reduction.hpp: the argument reductions that the elementary functions share.
//
// Each takes an argument to a small interval and says what was taken away, for f32 and f64, as straight-line code.
// Coefficients of all polynomials in ir/ops are minimax fits (Remez exchange in 40 decimal digits, then rounded).
#pragma once

#include "ir/logic/scalar.hpp"

namespace hyperion::ir {

// x = n ln2 + r, |r| <= ln2/2.
struct ExpReduction {
  Scalar r;
  // An integer whose low bits are n + 2 * bias of the format; all others vanish when it, or half of it, is shifted
  // into the exponent.
  Scalar shifted_n;
};
// REQUIRES: |x| < 800 (f64) or 110 (f32), or NaN, which ends up in r.
ExpReduction reduce_exp(Scalar x);
// e^r - 1 for the reduced argument, relative error about one rounding.
Scalar exp_minus_one_of_reduced(Scalar r);
// value * 2^n, rounded once: two exact factors, so that overflow and subnormal results come out right.
Scalar scale_by_power(Scalar value, const ExpReduction& reduction);
// 2^(n - 1). REQUIRES: that is a normal number.
Scalar half_power(const ExpReduction& reduction);

// x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2), for positive finite x, subnormal too; e is a whole float.
struct LogReduction {
  Scalar e, f;
};
LogReduction reduce_log(Scalar x);
// e ln2 + log(1 + f).
Scalar log_of_reduced(const LogReduction& reduction);

// x = k pi/2 + high + low, |high| <= pi/4 (and a little). `quadrant` is an integer that is k modulo 4. Right for every
// finite x: beyond a bound, x is multiplied by as many bits of 1/(2 pi) as matter. f32 has no `low` (it is zero).
// Infinities and NaN give NaN.
struct QuadrantReduction {
  Scalar high, low, quadrant;
};
QuadrantReduction reduce_quadrant(Scalar x);
// sin and cos of a reduced argument.
struct SineAndCosine {
  Scalar sine, cosine;
};
SineAndCosine sine_and_cosine_of_reduced(const QuadrantReduction& reduction);
// `value`, its sign flipped where bit 1 of `quadrant` is set.
Scalar flip_sign_by_quadrant(Scalar value, Scalar quadrant);

// asin of m for 0 <= m <= 1: root + tail itself up to 1/2, and pi/2 - 2 (root + tail) where `is_outer`. NaN beyond 1.
struct ArcSine {
  Scalar root, tail, is_outer;
};
ArcSine reduced_asin(Scalar magnitude);
// The angle in [0, pi/2] whose tangent is rise/run; both >= 0, not both zero, not both infinite.
Scalar atan_of_quotient(Scalar rise, Scalar run);

// The sign bit of `sign` on |magnitude|.
Scalar copy_sign(Scalar magnitude, Scalar sign);

// An f32 expansion that computes in f64 and rounds once; `function` gets the arguments in f64.
template <class Function>
Scalar computed_in_f64(const ExpandContext& c, Function function) {
  if (!c.is_f32()) return function(c);
  ExpandContext wide{c.pool, DType::f64, DType::f64, {}, c.immediate};
  for (const Scalar& argument : c.arguments) wide.arguments.push_back(cast(argument, DType::f64));
  return cast(function(wide), DType::f32);
}

}  // namespace hyperion::ir

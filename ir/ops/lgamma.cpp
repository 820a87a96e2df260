// lgamma.cpp: logarithm of |gamma(x)|.
//
// From 8 on, Stirling's series; down to 1/2 by gamma(x) = gamma(x + 8) / (x (x + 1) ... (x + 7)); below by reflection,
// gamma(x) gamma(1 - x) = pi / sin(pi x). Near its zeros at 1 and 2, and between the negative poles, the function is a
// difference of larger terms, so there the error is absolute.
#include <limits>

#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

// (z - 1/2) log z - z + log(2 pi)/2 + 1/(12 z) - ..., z >= 8: Bernoulli numbers B2k / (2k (2k - 1)).
Scalar stirling(Scalar z) {
  const Scalar inverse = 1.0 / z;
  const Scalar series = polynomial(inverse * inverse, {-174611.0 / 125400, 43867.0 / 244188, -3617.0 / 122400,
                                                       1.0 / 156, -691.0 / 360360, 1.0 / 1188, -1.0 / 1680,
                                                       1.0 / 1260, -1.0 / 360, 1.0 / 12});
  return fma(z - 0.5, call("log", z) - 1.0, fma(series, inverse, number(z, 0.41893853320467274178)));
}

Scalar lgamma_in_f64(const ExpandContext& c) {
  const Scalar x = c[0], one = c.constant(1.0);
  const Scalar reflects = x < c.constant(0.5);
  const Scalar y = select(reflects, 1.0 - x, x);
  const Scalar shifts = y < c.constant(8.0);
  Scalar product = y;
  for (int k = 1; k < 8; ++k) product = product * (y + k);
  product = select(shifts, product, one);
  const Scalar sum = stirling(select(shifts, y + 8.0, y));
  // |sin(pi x)| from the distance to the nearest whole number; next to a pole, 2^100 times that, so that the quotient
  // does not overflow before its logarithm does.
  const Scalar distance = abs(x - round(x));
  const Scalar is_next_to_pole = distance < c.constant(0x1p-900), is_near = distance < c.constant(0.25);
  const Scalar scaled = select(is_next_to_pole, distance * 0x1p100, select(is_near, distance, 0.5 - distance));
  const SineAndCosine parts = sine_and_cosine_of_reduced(
      {scaled * 0x1.921fb54442d18p1, c.constant(0.0), c.integer(DType::i64, 0)});
  const Scalar sine = select(is_near, parts.sine, parts.cosine);
  const Scalar offset = select(is_next_to_pole & reflects, c.constant(69.314718055994530942), c.constant(0.0));
  const Scalar logarithm = call("log", select(reflects, product * 0x1.921fb54442d18p1 / sine, product)) + offset;
  const Scalar infinity = c.constant(std::numeric_limits<double>::infinity());
  const Scalar value = select(reflects, logarithm - sum, sum - logarithm);
  const Scalar is_pole = reflects & (distance == c.constant(0.0));
  return select(is_pole | (abs(x) == infinity), infinity, value);
}

Scalar expand_lgamma(const ExpandContext& c) { return computed_in_f64(c, lgamma_in_f64); }

}  // namespace

OpDefinition op_lgamma() {
  OpDefinition op = unary_op("lgamma",
                             "Logarithm of |gamma(x)|; infinite at zero and the negative whole numbers. The error is "
                             "within the stated ulp of max(|result|, 16): absolute near the function's zeros.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_lgamma;
  op.ulp_f32 = 1;
  op.ulp_f64 = 4;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * unary("digamma", c.operand(0))); };
  op.example = "lgamma %x";
  return op;
}

}  // namespace hyperion::ir::ops

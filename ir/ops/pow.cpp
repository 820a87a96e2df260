// pow.cpp: x to the power y.
//
// |x|^y = e^(y log|x|). An error in the logarithm is multiplied by up to 745, so f64 carries log|x| as a sum of two
// numbers with about 66 good bits; f32 computes in f64, where one number suffices. Special cases as in IEEE 754 and C.
#include <limits>

#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

struct Sum {
  Scalar high, low;
};

// high + low exactly. REQUIRES: |a| >= |b|, or a is zero.
Sum fast_sum(Scalar a, Scalar b) {
  const Scalar high = a + b;
  return {high, b - (high - a)};
}

// log x for positive finite x in f64. With s = f/(2 + f): log(1 + f) = 2s + 2/3 s^3 + s^5 R(s^2); the first two terms
// are kept to twice the precision.
Sum precise_log(Scalar x) {
  const auto [e, f] = reduce_log(x);
  const Scalar third = number(x, 0x1.5555555555555p-1);  // 2/3
  const Scalar denominator = f + 2.0;
  const Scalar s = f / denominator;
  const Scalar rest = fma(-s, denominator, f) - s * (f - (denominator - 2.0));
  const Scalar s_low = rest / denominator;
  const Scalar z = s * s;
  const Scalar z_low = fma(s, s, -z) + s * s_low * 2.0;
  const Scalar cube = s * z;
  const Scalar cube_low = fma(s, z, -cube) + (s * z_low + s_low * z);
  const Scalar term = cube * third;
  const Scalar term_low = fma(cube, third, -term) + fma(cube, number(x, 0x1.5555555555555p-55), cube_low * third);
  const Scalar r = polynomial(z, {0x1.eb11d7d8d7294p-4, 0x1.de335aad855e1p-4, 0x1.1120b62cbfaaep-3,
                                  0x1.3b1362b26aeccp-3, 0x1.745d1832604dfp-3, 0x1.c71c71c5804c7p-3,
                                  0x1.2492492493036p-2, 0x1.9999999999996p-2});
  const Sum first = fast_sum(e * 0x1.62e42fefa38p-1, s * 2.0);  // the product is exact
  const Sum second = fast_sum(first.high, term);
  const Scalar tail = fma(cube * z, r, fma(e, number(x, 0x1.ef35793c7673p-45), fma(s_low, number(x, 2.0), term_low)));
  return fast_sum(second.high, first.low + second.low + tail);
}

// |x|^y for x, y in f64; `precise` for a result in f64.
Scalar magnitude_of_power(Scalar x, Scalar y, bool precise) {
  const Scalar zero = number(x, 0.0), infinity = number(x, std::numeric_limits<double>::infinity());
  const Sum log = precise ? precise_log(x) : Sum{log_of_reduced(reduce_log(x)), zero};
  const Scalar high = select(x == zero, -infinity, select(x == infinity, infinity, log.high));
  const Scalar product = select(x == number(x, 1.0), zero, y * high);  // 1^infinity too
  const Scalar bounded = max(min(product, number(x, 710.0)), number(x, -746.0));
  ExpReduction reduction = reduce_exp(bounded);
  if (!precise) return scale_by_power(exp_minus_one_of_reduced(reduction.r) + 1.0, reduction);
  const Scalar lost = fma(y, high, -product) + y * log.low;
  const Scalar low = select((abs(product) < number(x, 746.0)) & (product != zero), lost, zero);
  const Sum r = fast_sum(reduction.r, low);
  reduction.r = r.high;
  const Scalar power = exp_minus_one_of_reduced(r.high);
  return scale_by_power((power + r.low) + 1.0, reduction);
}

Scalar power(const ExpandContext& c, bool precise) {
  const Scalar x = c[0], y = c[1], zero = c.constant(0.0), one = c.constant(1.0);
  const Scalar magnitude = magnitude_of_power(abs(x), y, precise);
  const Scalar half = y * 0.5;
  const Scalar is_whole = trunc(y) == y;
  const Scalar is_odd = is_whole & (trunc(half) != half);
  const Scalar is_negative = bitcast(x, DType::i64) < c.integer(DType::i64, 0);  // -0 too
  const Scalar finite_negative = (x < zero) & (x > c.constant(-std::numeric_limits<double>::infinity()));
  const Scalar is_undefined = is_nan(x) | is_nan(y) | (finite_negative & ~is_whole);
  const Scalar value = select(is_negative & is_odd, -magnitude, magnitude);
  const Scalar nan = c.constant(std::numeric_limits<double>::quiet_NaN());
  return select((x == one) | (y == zero), one, select(is_undefined, nan, value));
}

Scalar expand_pow(const ExpandContext& c) {
  return computed_in_f64(c, [&](const ExpandContext& wide) { return power(wide, !c.is_f32()); });
}

// d(x^y) = y x^(y-1) dx + x^y log(x) dy. The first term vanishes at y = 0 and the second at x = 0, whatever the other
// factor is there.
std::vector<Value> jvp_pow(JvpContext& c) {
  const Value x = c.operand(0), y = c.operand(1);
  const Value zero = c.builder.zeros(x.type());
  Value tangent;
  if (c.has_tangent(0)) {
    const Value slope = y * c.builder.apply("pow", {x, y - 1.0});
    tangent = c.tangent(0) * c.builder.select(c.builder.compare(y, zero, "eq"), zero, slope);
  }
  if (c.has_tangent(1)) {
    const Value slope = c.result() * unary("log", x);
    const Value at_zero = c.builder.select(c.builder.compare(x, zero, "eq"), zero, slope);
    tangent = c.builder.accumulate(tangent, c.tangent(1) * at_zero);
  }
  return only(tangent);
}

}  // namespace

OpDefinition op_pow() {
  OpDefinition op = binary_op("pow",
                              "lhs to the power rhs, with the special cases of C: 1 for rhs = 0 or lhs = 1, NaN for a "
                              "negative lhs unless rhs is whole.",
                              floating_dtype, "a floating-point type");
  op.expand = expand_pow;
  op.ulp_f32 = 0.501;
  op.ulp_f64 = 1.5;
  op.is_expensive = true;
  op.jvp = jvp_pow;
  op.example = "pow %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

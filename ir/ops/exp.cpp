// exp.cpp: e to the power x.
//
// x = n ln2 + r with n whole and |r| <= ln2/2, so e^x = 2^n e^r. ln2 is split in two so that n ln2 is subtracted almost
// exactly (Cody and Waite); e^r is a polynomial; 2^n is made from exponent bits, in two halves so that results near
// overflow and among the subnormals are right.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

// 2^n for whole n with |n| <= 2 * bias: two factors, each a normal number.
Scalar scale_by_power_of_two(const ExpandContext& c, Scalar value, Scalar n) {
  const DType bits = c.is_f32() ? DType::i32 : DType::i64;
  const int mantissa = c.is_f32() ? 23 : 52;
  const std::int64_t bias = c.is_f32() ? 127 : 1023;
  const Scalar whole = cast(n, bits);
  const Scalar half = whole >> 1;
  const auto power = [&](Scalar e) {
    return bitcast((e + c.integer(bits, bias)) << mantissa, c.dtype);
  };
  return value * power(half) * power(whole - half);
}

Scalar expand_exp(const ExpandContext& c) {
  const bool f32 = c.is_f32();
  const Scalar x = c[0];
  // Beyond these bounds the result is 0 or infinity anyway; min and max keep NaN.
  const Scalar bounded = max(min(x, c.constant(f32 ? 89.0 : 710.0)), c.constant(f32 ? -104.0 : -746.0));
  const Scalar n = round(bounded * 1.4426950408889634074);
  const double ln2_high = f32 ? 0.693145751953125 : 0x1.62e42fefa0000p-1;
  const double ln2_low = f32 ? 1.428606765330187e-06 : 0x1.cf79abc9e3b3ap-40;
  const Scalar r = fma(n, c.constant(-ln2_low), fma(n, c.constant(-ln2_high), bounded));
  const Scalar p =
      f32 ? polynomial(r, {1.38168165e-3, 8.37312452e-3, 4.16695364e-2, 1.66664720e-1, 4.99999851e-1, 1.0, 1.0})
          : polynomial(r, {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                           1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0});
  return scale_by_power_of_two(c, p, n);
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

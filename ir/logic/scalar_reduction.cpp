#include "ir/logic/scalar_reduction.hpp"

#include <limits>

namespace hyperion::ir {
namespace {

// The layout of a format, and an integer type of its width.
struct Layout {
  DType bits;
  int mantissa;
  std::int64_t bias;
};

bool is_f32(Scalar x) { return x.dtype() == DType::f32; }
Layout layout(Scalar x) { return is_f32(x) ? Layout{DType::i32, 23, 127} : Layout{DType::i64, 52, 1023}; }

// Adding 1.5 * 2^mantissa rounds a small number to a whole one, which then stands in the low bits.
double rounding_shift(Scalar x) { return is_f32(x) ? 0x1.8p23 : 0x1.8p52; }

}  // namespace

// ---- exponentials ---------------------------------------------------------------------------------------------

ExpReduction reduce_exp(Scalar x) {
  const double shift = rounding_shift(x) + 2.0 * static_cast<double>(layout(x).bias);
  const Scalar shifted = fma(x, number(x, 0x1.71547652b82fep0), number(x, shift));
  const Scalar n = shifted - shift;
  // ln2 in two parts (Cody and Waite); the first fma is exact.
  const double high = is_f32(x) ? 0x1.62e43p-1 : 0x1.62e42fefa39efp-1;
  const double low = is_f32(x) ? -0x1.05c61p-29 : 0x1.abc9e3b39803fp-56;
  const Scalar r = fma(n, number(x, -low), fma(n, number(x, -high), x));
  return {r, bitcast(shifted, layout(x).bits)};
}

// r + r^2 P(r); error of the fit 2^-32 (f32) and 2^-61 (f64), relative to e^r - 1.
Scalar exp_minus_one_of_reduced(Scalar r) {
  const Scalar p =
      is_f32(r) ? polynomial(r, {0x1.a031d4p-13, 0x1.6d729ep-10, 0x1.11118ap-7, 0x1.5554bp-5, 0x1.555554p-3, 0.5})
                : polynomial(r, {0x1.1ee8a524afe02p-29, 0x1.af5ee9dc2ad18p-26, 0x1.27e5364fd6d17p-22,
                                 0x1.71ddf84112422p-19, 0x1.a01a017b9b686p-16, 0x1.a01a01afea0c1p-13,
                                 0x1.6c16c16c1f15cp-10, 0x1.111111110f6a8p-7, 0x1.555555555553ep-5,
                                 0x1.5555555555559p-3, 0.5});
  return fma(r * r, p, r);
}

Scalar scale_by_power(Scalar value, const ExpReduction& reduction) {
  const int mantissa = layout(value).mantissa;
  const Scalar half = reduction.shifted_n >> 1;
  const Scalar rest = reduction.shifted_n - half;
  return value * bitcast(half << mantissa, value.dtype()) * bitcast(rest << mantissa, value.dtype());
}

Scalar half_power(const ExpReduction& reduction) {
  const Layout l = layout(reduction.r);
  const Scalar exponent = reduction.shifted_n - integer(reduction.shifted_n, l.bias + 1);
  return bitcast(exponent << l.mantissa, reduction.r.dtype());
}

// ---- logarithms -----------------------------------------------------------------------------------------------

LogReduction reduce_log(Scalar x) {
  const Layout l = layout(x);
  const Scalar is_subnormal = x < number(x, is_f32(x) ? 0x1p-126 : 0x1p-1022);
  const Scalar normal = select(is_subnormal, x * (is_f32(x) ? 0x1p25 : 0x1p54), x);
  const Scalar bits = bitcast(normal, l.bits);
  // Subtracting the bits of sqrt(1/2) puts the change of exponent there.
  const Scalar exponent = (bits - integer(bits, is_f32(x) ? 0x3f3504f3 : 0x3fe6a09e667f3bcd)) >> l.mantissa;
  const Scalar fraction = bitcast(bits - (exponent << l.mantissa), x.dtype());
  const Scalar e = cast(exponent, x.dtype());
  return {select(is_subnormal, e - (is_f32(x) ? 25.0 : 54.0), e), fraction - 1.0};
}

Scalar log_of_reduced(const LogReduction& reduction) {
  const auto [e, f] = reduction;
  const bool f32 = is_f32(f);
  const Scalar high = number(f, f32 ? 0x1.62e43p-1 : 0x1.62e42fefa38p-1);
  const Scalar low = number(f, f32 ? -0x1.05c61p-29 : 0x1.ef35793c7673p-45);
  if (f32) {  // f - f^2/2 + f^3 P(f), fit 2^-30
    const Scalar square = f * f;
    const Scalar p = polynomial(f, {0x1.145a8ap-4, -0x1.de4204p-4, 0x1.e6f20ep-4, -0x1.fc212ep-4, 0x1.233744p-3,
                                    -0x1.555c52p-3, 0x1.99a4b6p-3, -0x1.000006p-2, 0x1.555548p-2});
    const Scalar tail = fma(e, low, fma(number(f, -0.5), square, f * square * p));
    return fma(e, high, f + tail);
  }
  // With s = f/(2 + f): log(1 + f) = 2s + s R(s^2) = f - (f^2/2 - s (f^2/2 + R)), fit 2^-65 of 2s.
  const Scalar s = f / (f + 2.0), z = s * s;
  const Scalar r = z * polynomial(z, {0x1.0f623a6cf5a6dp-3, 0x1.0f5ce47cc6732p-3, 0x1.3b20aa28945fcp-3,
                                      0x1.745cde3efbd88p-3, 0x1.c71c7258dbf53p-3, 0x1.249249242b60ep-2,
                                      0x1.9999999999dfdp-2, 0x1.5555555555555p-1});
  const Scalar half_square = f * f * 0.5;
  return fma(e, high, f - (half_square - fma(s, half_square + r, e * low)));
}

// ---- quadrants ------------------------------------------------------------------------------------------------

namespace {

struct Unsigned128 {
  Scalar high, low;
};

Scalar as(Scalar x, DType dtype) { return bitcast(x, dtype); }
Scalar word(Scalar like, std::uint64_t value) {
  return {like.pool, like.pool->literal_bits(DType::u64, value)};
}

// The high 64 bits of a product of two 64-bit numbers, from four products of 32-bit halves.
Scalar multiply_high(Scalar a, Scalar b) {
  const Scalar mask = word(a, 0xffffffff);
  const Scalar a_low = a & mask, a_high = a >> 32, b_low = b & mask, b_high = b >> 32;
  const Scalar low = a_low * b_low, cross = a_high * b_low, other = a_low * b_high;
  const Scalar carry = ((low >> 32) + (cross & mask) + (other & mask)) >> 32;
  return a_high * b_high + (cross >> 32) + (other >> 32) + carry;
}

// 64 bits of two words, `shift` bits in. (A shift by 64 - 0 would be beyond the width.)
Scalar window(Scalar first, Scalar second, Scalar shift) {
  return (first << shift) | ((second >> 1) >> (word(shift, 63) - shift));
}

// Multiplies by bits of 1/(2 pi) from `start` on: whole turns before them vanish, since they are multiples of 2^64.
// The result is x/(2 pi) modulo 1, as a fraction of 2^128. (Payne and Hanek.)
constexpr std::uint64_t kTurns32[] = {0x0028be60db939105, 0x4a7f09d5f47d4d37, 0x7036d8a5664f10e4, 0x107f9458eaf7aef1};
constexpr std::uint64_t kTurns64[] = {
    0x000000145f306dc9, 0xc882a53f84eafa3e, 0xa69bb81b6c52b327, 0x8872083fca2c757b, 0xd778ac36e48dc748,
    0x49ba5c00c925dd41, 0x3a32439fc3bd6396, 0x2534e7dd1046bea5, 0xd768909d338e04d6, 0x8befc827323ac730,
    0x6a673e93908bf177, 0xbf250763ff12fffb, 0xc0b301fde5e2316b, 0x414da3eda6cfd9e4, 0xf96136e9e8c7ecd3,
    0xcbfd45aea4f758fd, 0x7cbe2f67a0e73ef1, 0x4a525d4d7f6bf623, 0xf1aba10ac06608df};

// Words k to k + 3 of a table (as many of them as it has), where k has `index_bits` bits, by halving the table.
std::vector<Scalar> select_words(std::span<const std::uint64_t> table, Scalar k, int index_bits) {
  std::vector<Scalar> words;
  for (std::uint64_t value : table) words.push_back(word(k, value));
  for (int bit = index_bits - 1; bit >= 0; --bit) {
    const std::size_t step = std::size_t{1} << bit;
    const Scalar taken = (k & word(k, step)) != word(k, 0);
    const std::size_t kept = step + 3;  // indices below `step` remain to be added, and four words are read
    std::vector<Scalar> next;
    for (std::size_t i = 0; i < kept && i + step < words.size(); ++i) {
      next.push_back(select(taken, words[i + step], words[i]));
    }
    words = std::move(next);
  }
  return words;
}

struct Turn {
  Scalar fraction;   // i64: signed distance to the nearest quarter, in units of 2^-64
  Scalar fine;       // u64: the next 64 bits
  Scalar quadrant;   // i64
};

Turn split_turn(Scalar high, Scalar low) {
  const Scalar quadrant = (high + word(high, std::uint64_t{1} << 61)) >> 62;
  return {as(high - (quadrant << 62), DType::i64), low, as(quadrant, DType::i64)};
}

// |x| >= 2^15, exponent field 142 and more.
QuadrantReduction reduce_large_f32(Scalar x) {
  const Scalar bits = cast(as(abs(x), DType::u32), DType::u64);
  const Scalar significand = (bits & word(bits, 0x7fffff)) | word(bits, 0x800000);
  const Scalar start = max((bits >> 23), word(bits, 142)) - word(bits, 142);
  const std::vector<Scalar> words = select_words(kTurns32, start >> 6, 1);
  const Scalar shift = start & word(bits, 63);
  const Scalar w0 = window(words[0], words[1], shift), w1 = window(words[1], words[2], shift) >> 32;
  const Turn turn = split_turn(significand * w0 + ((significand * w1) >> 32), word(bits, 0));
  const Scalar angle = cast(turn.fraction, DType::f64) * 0x1.921fb54442d18p-62;  // 2 pi / 2^64
  return {cast(angle, DType::f32), number(x, 0.0), cast(turn.quadrant, DType::i32)};
}

// |x| >= 2^27, exponent field 1050 and more.
QuadrantReduction reduce_large_f64(Scalar x) {
  const Scalar bits = as(abs(x), DType::u64);
  const Scalar significand = (bits & word(bits, 0xfffffffffffff)) | word(bits, 0x10000000000000);
  const Scalar start = max((bits >> 52), word(bits, 1050)) - word(bits, 1050);
  const std::vector<Scalar> words = select_words(kTurns64, start >> 6, 4);
  const Scalar shift = start & word(bits, 63);
  const Scalar w0 = window(words[0], words[1], shift), w1 = window(words[1], words[2], shift);
  const Scalar middle = significand * w1;
  const Scalar low = middle + multiply_high(significand, window(words[2], words[3], shift));
  const Scalar carry = select(low < middle, word(bits, 1), word(bits, 0));
  const Turn turn = split_turn(significand * w0 + multiply_high(significand, w1) + carry, low);
  // 128 signed bits as a sum of two floats: the upper part must convert exactly.
  const Scalar mask = integer(turn.fraction, 0xfff);
  const Scalar coarse = cast(turn.fraction & ~mask, DType::f64);
  const Scalar rest = fma(cast(turn.fine, DType::f64), number(x, 0x1p-64), cast(turn.fraction & mask, DType::f64));
  const Scalar high = coarse + rest, low_part = rest - (high - coarse);
  const Scalar angle = high * 0x1.921fb54442d18p-62;
  const Scalar error = fma(high, number(x, 0x1.921fb54442d18p-62), -angle);
  const Scalar low_angle = fma(low_part, number(x, 0x1.921fb54442d18p-62),
                               fma(high, number(x, 0x1.1a62633145c07p-116), error));
  return {angle, low_angle, turn.quadrant};
}

// Whole quarters taken away with pi/2 in three parts; the first fma is exact.
QuadrantReduction reduce_small(Scalar x) {
  const double shift = rounding_shift(x);
  const Scalar shifted = fma(x, number(x, 0x1.45f306dc9c883p-1), number(x, shift));
  const Scalar n = shifted - shift;
  const Scalar quadrant = bitcast(shifted, layout(x).bits);
  if (is_f32(x)) {
    const Scalar r = fma(n, number(x, 0x1.777a5cp-25), fma(n, number(x, -0x1.921fb6p0), x));
    return {fma(n, number(x, 0x1.ee59dap-50), r), number(x, 0.0), quadrant};
  }
  const Scalar first = fma(n, number(x, -0x1.921fb54442d18p0), x);
  const Scalar product = n * 0x1.1a62633145c07p-54;
  const Scalar high = first - product;
  const Scalar back = first - high;
  // The rounding of that difference, of the product, and the third part.
  const Scalar lost = (first - (high + back)) + (back - product);
  const Scalar rounded = fma(n, number(x, 0x1.1a62633145c07p-54), -product);
  return {high, lost - fma(n, number(x, -0x1.f1976b7ed8fbcp-110), rounded), quadrant};
}

}  // namespace

QuadrantReduction reduce_quadrant(Scalar x) {
  const bool f32 = is_f32(x);
  const QuadrantReduction small = reduce_small(x);
  QuadrantReduction large = f32 ? reduce_large_f32(x) : reduce_large_f64(x);
  const Scalar is_negative = x < number(x, 0.0);
  large.high = select(is_negative, -large.high, large.high);
  large.low = f32 ? large.low : select(is_negative, -large.low, large.low);
  large.quadrant = select(is_negative, -large.quadrant, large.quadrant);
  const Scalar magnitude = abs(x);
  const Scalar is_small = magnitude < number(x, f32 ? 0x1p15 : 0x1p27);
  const Scalar is_finite = magnitude < number(x, std::numeric_limits<double>::infinity());
  const Scalar nan = number(x, std::numeric_limits<double>::quiet_NaN());
  return {select(is_finite, select(is_small, small.high, large.high), nan),
          f32 ? small.low : select(is_small, small.low, large.low),
          select(is_small, small.quadrant, large.quadrant)};
}

SineAndCosine sine_and_cosine_of_reduced(const QuadrantReduction& reduction) {
  const auto [r, low, quadrant] = reduction;
  const Scalar z = r * r;
  if (is_f32(r)) {
    const Scalar s = polynomial(z, {0x1.6cd35ap-19, -0x1.a00f88p-13, 0x1.111108p-7, -0x1.555556p-3});
    const Scalar c = polynomial(z, {0x1.99e584p-16, -0x1.6c0c2p-10, 0x1.55554ap-5});
    return {fma(r * z, s, r), fma(z * z, c, fma(number(z, -0.5), z, number(z, 1.0)))};
  }
  const Scalar s = polynomial(z, {-0x1.aaa1a2d3c6d23p-41, 0x1.61208b89411d8p-33, -0x1.ae64528d4cde3p-26,
                                  0x1.71de3a5331401p-19, -0x1.a01a01a018a81p-13, 0x1.111111111110bp-7,
                                  -0x1.5555555555555p-3});
  const Scalar c = polynomial(z, {0x1.aab95667b3163p-45, -0x1.93931bd030db2p-37, 0x1.1eed8c897dfcbp-29,
                                  -0x1.27e4fb75e513cp-22, 0x1.a01a01a018c6ap-16, -0x1.6c16c16c16c0fp-10,
                                  0x1.5555555555555p-5});
  const Scalar half = z * 0.5, rest = 1.0 - half;
  return {r + fma(r * z, s, low), rest + (((1.0 - rest) - half) + fma(z * z, c, -(r * low)))};
}

Scalar flip_sign_by_quadrant(Scalar value, Scalar quadrant) {
  const Scalar sign = (quadrant & integer(quadrant, 2)) << (is_f32(value) ? 30 : 62);
  return bitcast(bitcast(value, quadrant.dtype()) ^ sign, value.dtype());
}

// ---- inverse trigonometric ------------------------------------------------------------------------------------

ArcSine reduced_asin(Scalar magnitude) {
  const Scalar is_outer = magnitude > number(magnitude, 0.5);
  const Scalar z = select(is_outer, (1.0 - magnitude) * 0.5, magnitude * magnitude);
  const Scalar t = select(is_outer, sqrt(z), magnitude);
  const Scalar p =
      is_f32(t)
          ? polynomial(z, {0x1.33ee84p-5, 0x1.d76a86p-7, 0x1.04aeb2p-5, 0x1.6cab5p-5, 0x1.333894p-4, 0x1.55554cp-3})
          : polynomial(z, {0x1.0c1a2b278b00dp-5, -0x1.5a9eb2092f3dcp-6, 0x1.65762437f20bfp-6, 0x1.dfe6724b2c4e3p-9,
                           0x1.61a2cb5d64e28p-7, 0x1.75735e61ee623p-7, 0x1.ca21c39a70eecp-7, 0x1.1c49d8d92e424p-6,
                           0x1.6e8be02de0dd6p-6, 0x1.f1c71a89294b8p-6, 0x1.6db6db7231ba7p-5, 0x1.333333332de91p-4,
                           0x1.5555555555578p-3});
  return {t, t * z * p, is_outer};
}

// atan(q) = pi/4 + atan((q - 1)/(q + 1)) = pi/2 - atan(1/q), whichever leaves at most tan(pi/8); one division.
Scalar atan_of_quotient(Scalar rise, Scalar run) {
  const bool f32 = is_f32(rise);
  const Scalar is_far = rise > run * 0x1.3504f333f9de6p1, is_middle = rise > run * 0x1.a827999fcef32p-2;
  const Scalar numerator = select(is_far, -run, select(is_middle, rise - run, rise));
  const Scalar denominator = select(is_far, rise, select(is_middle, rise + run, run));
  const Scalar t = numerator / denominator, z = t * t;
  const Scalar p =
      f32 ? polynomial(z, {-0x1.f22d58p-5, 0x1.b1fad6p-4, -0x1.23b64ap-3, 0x1.9991a8p-3, -0x1.55554ap-2})
          : polynomial(z, {-0x1.2564ff7d7884cp-6, 0x1.37d410d31b8ap-5, -0x1.9cd2743c6fdd6p-5, 0x1.df0f4d8c50779p-5,
                           -0x1.10ebb99cf309bp-4, 0x1.3b1119510299dp-4, -0x1.745cf8e0428efp-4, 0x1.c71c70e632d3cp-4,
                           -0x1.24924922ad9b8p-3, 0x1.9999999995863p-3, -0x1.555555555553dp-2});
  const Scalar zero = number(t, 0.0);
  const Scalar high = number(t, f32 ? 0x1.921fb6p0 : 0x1.921fb54442d18p0);
  const Scalar low = number(t, f32 ? -0x1.777a5cp-25 : 0x1.1a62633145c07p-54);
  const Scalar base = select(is_far, high, select(is_middle, high * 0.5, zero));
  const Scalar base_low = select(is_far, low, select(is_middle, low * 0.5, zero));
  return base + (t + fma(t * z, p, base_low));
}

Scalar copy_sign(Scalar magnitude, Scalar sign) {
  const Scalar bits = bitcast(magnitude, layout(magnitude).bits);
  const Scalar sign_bit = integer(bits, is_f32(magnitude) ? std::numeric_limits<std::int32_t>::min()
                                                          : std::numeric_limits<std::int64_t>::min());
  return bitcast((bits & ~sign_bit) | (bitcast(sign, bits.dtype()) & sign_bit), magnitude.dtype());
}

}  // namespace hyperion::ir

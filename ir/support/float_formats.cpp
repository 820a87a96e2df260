#include "ir/support/float_formats.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace hyperion {
namespace {

// A small IEEE-like format, described by its field widths.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  bool has_infinity;  // false: the top exponent holds numbers too, and only all ones is NaN (OCP "fn")

  constexpr int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  constexpr std::uint32_t exponent_mask() const { return (1u << exponent_bits) - 1; }
  constexpr std::uint32_t mantissa_mask() const { return (1u << mantissa_bits) - 1; }
  constexpr std::uint32_t sign_bit() const { return 1u << (exponent_bits + mantissa_bits); }
};

constexpr Format kF16{5, 10, true};
constexpr Format kF8E4M3{4, 3, false};
constexpr Format kF8E5M2{5, 2, true};

float decode(Format f, std::uint32_t bits) {
  const float sign = (bits & f.sign_bit()) != 0 ? -1.0f : 1.0f;
  const std::uint32_t exponent = (bits >> f.mantissa_bits) & f.exponent_mask();
  const std::uint32_t mantissa = bits & f.mantissa_mask();
  if (exponent == f.exponent_mask()) {
    if (f.has_infinity) {
      return mantissa == 0 ? sign * INFINITY : std::copysign(NAN, sign);
    }
    if (mantissa == f.mantissa_mask()) return std::copysign(NAN, sign);
  }
  const int scale = static_cast<int>(exponent == 0 ? 1 : exponent) - f.bias() - f.mantissa_bits;
  const auto significand =
      static_cast<float>(exponent == 0 ? mantissa : mantissa + f.mantissa_mask() + 1);
  return sign * std::ldexp(significand, scale);
}

std::uint32_t encode(Format f, float value) {
  const std::uint32_t sign = std::signbit(value) ? f.sign_bit() : 0;
  const std::uint32_t infinity = f.exponent_mask() << f.mantissa_bits;
  const std::uint32_t nan = f.has_infinity ? infinity | (1u << (f.mantissa_bits - 1))
                                           : infinity | f.mantissa_mask();
  if (std::isnan(value)) return sign | nan;
  if (std::isinf(value)) return sign | (f.has_infinity ? infinity : nan);
  if (value == 0) return sign;
  int exponent = 0;
  std::frexp(value, &exponent);  // |value| in [2^(exponent-1), 2^exponent)
  const int lowest = 1 - f.bias();
  const int unit = std::max(exponent - 1, lowest) - f.mantissa_bits;
  // nearbyint rounds ties to even, and the scaled value is exact: only one rounding happens.
  auto steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(std::fabs(value), -unit)));
  // Adding the exponent to the significand lets a carry move into the exponent by itself.
  const std::uint32_t bits =
      (static_cast<std::uint32_t>(std::max(exponent - 1, lowest) - lowest) << f.mantissa_bits) +
      steps;
  const std::uint32_t largest = f.has_infinity ? infinity - 1 : nan - 1;
  if (bits > largest) return sign | (f.has_infinity ? infinity : nan);
  return sign | bits;
}

}  // namespace

float f16_to_float(std::uint16_t bits) { return decode(kF16, bits); }
std::uint16_t float_to_f16(float value) { return static_cast<std::uint16_t>(encode(kF16, value)); }
float f8e4m3_to_float(std::uint8_t bits) { return decode(kF8E4M3, bits); }
std::uint8_t float_to_f8e4m3(float value) {
  return static_cast<std::uint8_t>(encode(kF8E4M3, value));
}
float f8e5m2_to_float(std::uint8_t bits) { return decode(kF8E5M2, bits); }
std::uint8_t float_to_f8e5m2(float value) {
  return static_cast<std::uint8_t>(encode(kF8E5M2, value));
}

float bf16_to_float(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace hyperion

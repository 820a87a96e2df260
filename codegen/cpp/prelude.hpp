// prelude.hpp: what every translated file begins with: lanes, and the primitives as
// ir/logic/primitives.def says.
#pragma once

#include <string_view>

namespace hyperion::codegen {

// The delimiter is none that clang-format knows as C++: it would indent the emitted text.
inline constexpr std::string_view kCppPrelude = R"prelude(#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

namespace {

template <class T, int N>
struct Lanes {
  T at[N];
};

template <int N, class F>
auto lanes(F f) {
  Lanes<decltype(f(0)), N> out;
  for (int l = 0; l < N; ++l) out.at[l] = f(l);
  return out;
}

// Integers wrap, so their arithmetic is unsigned and cut to size.
template <class T>
T cut(std::uint64_t bits) {
  return static_cast<T>(bits);
}
template <class T>
std::uint64_t wide(T x) {
  return static_cast<std::uint64_t>(x);
}
template <class T>
constexpr bool is_float = std::is_floating_point_v<T>;

// A float narrower than 32 bits: computed with in float, and rounded once when it is made, to nearest, ties to even.
// Without infinity the top exponent holds numbers too, and only all ones is NaN.
template <class Bits, int kExponentBits, int kMantissaBits, bool kHasInfinity = true>
struct SmallFloat {
  static constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  static constexpr std::uint32_t kSign = 1u << (kExponentBits + kMantissaBits);
  static constexpr std::uint32_t kFraction = (1u << kMantissaBits) - 1;
  static constexpr std::uint32_t kTop = kSign - 1 - kFraction;  // the largest exponent
  static constexpr std::uint32_t kNaN = kHasInfinity ? kTop | (1u << (kMantissaBits - 1)) : kTop | kFraction;
  static constexpr std::uint32_t kOverflow = kHasInfinity ? kTop : kNaN;

  Bits bits;

  SmallFloat() = default;
  SmallFloat(float value) : bits(static_cast<Bits>((std::signbit(value) ? kSign : 0) | magnitude(std::fabs(value)))) {}

  operator float() const {
    const float sign = (bits & kSign) != 0 ? -1.0f : 1.0f;
    const std::uint32_t exponent = (bits & kTop) >> kMantissaBits, fraction = bits & kFraction;
    if (kHasInfinity && (bits & kTop) == kTop && fraction == 0) return sign * std::numeric_limits<float>::infinity();
    if ((bits & (kSign - 1)) > (kHasInfinity ? kTop : kNaN - 1)) return std::numeric_limits<float>::quiet_NaN();
    const std::uint32_t significand = exponent == 0 ? fraction : fraction + kFraction + 1;
    return sign * std::ldexp(static_cast<float>(significand), std::max<int>(exponent, 1) - kBias - kMantissaBits);
  }

 private:
  static std::uint32_t magnitude(float value) {
    if (value != value) return kNaN;
    if (value == std::numeric_limits<float>::infinity()) return kOverflow;
    if (value == 0) return 0;
    const int exponent = std::max(std::ilogb(value), 1 - kBias);
    // Adding the exponent to the significand lets a carry move into the exponent by itself.
    const auto steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(value, kMantissaBits - exponent)));
    const std::uint32_t found = (static_cast<std::uint32_t>(exponent - 1 + kBias) << kMantissaBits) + steps;
    return std::min(found, kOverflow);
  }
};
using F16 = SmallFloat<std::uint16_t, 5, 10>;
using BF16 = SmallFloat<std::uint16_t, 8, 7>;
using F8E4M3 = SmallFloat<std::uint8_t, 4, 3, false>;
using F8E5M2 = SmallFloat<std::uint8_t, 5, 2>;
template <class T>
constexpr bool is_small_float = std::is_class_v<T>;

template <class T>
T add(T a, T b) {
  if constexpr (is_float<T>)
    return a + b;
  else if constexpr (std::is_same_v<T, bool>)
    return a || b;
  else
    return cut<T>(wide(a) + wide(b));
}
template <class T>
T sub(T a, T b) {
  if constexpr (is_float<T>)
    return a - b;
  else
    return cut<T>(wide(a) - wide(b));
}
template <class T>
T mul(T a, T b) {
  if constexpr (is_float<T>)
    return a * b;
  else if constexpr (std::is_same_v<T, bool>)
    return a && b;
  else
    return cut<T>(wide(a) * wide(b));
}
template <class T>
T div(T a, T b) {
  if constexpr (is_float<T>)
    return a / b;
  else if (b == 0)
    return 0;
  else if (std::is_signed_v<T> && b == static_cast<T>(-1))
    return cut<T>(0 - wide(a));
  else
    return static_cast<T>(a / b);
}
template <class T>
T rem(T a, T b) {
  if constexpr (is_float<T>)
    return std::fmod(a, b);
  else if (b == 0)
    return a;
  else if (std::is_signed_v<T> && b == static_cast<T>(-1))
    return 0;
  else
    return static_cast<T>(a % b);
}
template <class T>
T fma(T a, T b, T c) {
  if constexpr (is_float<T>)
    return std::fma(a, b, c);
  else
    return cut<T>(wide(a) * wide(b) + wide(c));
}
template <class T>
T neg(T a) {
  if constexpr (is_float<T>)
    return -a;
  else
    return cut<T>(0 - wide(a));
}
template <class T>
T abs(T a) {
  if constexpr (is_float<T>)
    return std::fabs(a);
  else
    return a < 0 ? cut<T>(0 - wide(a)) : a;
}
template <class T>
T sqrt(T a) {
  return std::sqrt(a);
}
template <class T>
T floor(T a) {
  return std::floor(a);
}
template <class T>
T ceil(T a) {
  return std::ceil(a);
}
template <class T>
T round(T a) {
  return std::nearbyint(a);
}
template <class T>
T trunc(T a) {
  return std::trunc(a);
}
template <class T>
T max(T a, T b) {
  if constexpr (is_small_float<T>) {
    return max<float>(a, b);
  } else if constexpr (is_float<T>) {
    if (a != a || b != b) return std::numeric_limits<T>::quiet_NaN();
    return a < b || (a == b && std::signbit(a)) ? b : a;
  } else {
    return a < b ? b : a;
  }
}
template <class T>
T min(T a, T b) {
  if constexpr (is_small_float<T>) {
    return min<float>(a, b);
  } else if constexpr (is_float<T>) {
    if (a != a || b != b) return std::numeric_limits<T>::quiet_NaN();
    return b < a || (a == b && std::signbit(b)) ? b : a;
  } else {
    return b < a ? b : a;
  }
}
template <class T>
T and_(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
T or_(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
T xor_(T a, T b) {
  return static_cast<T>(a ^ b);
}
template <class T>
T not_(T a) {
  if constexpr (std::is_same_v<T, bool>)
    return !a;
  else
    return static_cast<T>(~a);
}
template <class T>
constexpr int width = 8 * sizeof(T);
template <class T>
T shl(T a, T b) {
  return b < 0 || b >= static_cast<T>(width<T>) ? T(0) : cut<T>(wide(a) << b);
}
template <class T>
T shr(T a, T b) {
  if (b < 0 || b >= static_cast<T>(width<T>)) return a < 0 ? static_cast<T>(-1) : T(0);
  return static_cast<T>(a >> b);
}
template <class To, class From>
To cast(From a) {
  if constexpr (is_small_float<From>)
    return cast<To>(static_cast<float>(a));
  else if constexpr (is_small_float<To>)
    return To(static_cast<float>(a));
  else if constexpr (std::is_same_v<To, bool>)
    return a != 0;
  else if constexpr (is_float<To> || !is_float<From>)
    return static_cast<To>(a);
  else if (a != a)
    return 0;
  else if (a >= std::ldexp(From(1), std::numeric_limits<To>::digits))
    return std::numeric_limits<To>::max();
  else if (a <= static_cast<From>(std::numeric_limits<To>::min()))
    return std::numeric_limits<To>::min();
  else
    return static_cast<To>(a);
}

// Sixty-four partial results, combined by halving.
template <class T, int N, class F>
T reduce_lanes(Lanes<T, N> x, T identity, F combine) {
  T partial[64];
  std::fill(partial, partial + 64, identity);
  for (int l = 0; l < N; ++l) partial[l % 64] = combine(partial[l % 64], x.at[l]);
  for (int s = 32; s > 0; s /= 2) {
    for (int l = 0; l < s; ++l) partial[l] = combine(partial[l], partial[l + s]);
  }
  return partial[0];
}
template <class T, int N, class F>
T reduce_ascending(Lanes<T, N> x, T identity, F combine) {
  for (int l = 0; l < N; ++l) identity = combine(identity, x.at[l]);
  return identity;
}

// The input position that output position o reads at kernel position t, or -1.
[[maybe_unused]] std::int64_t source(std::int64_t o, std::int64_t t, std::int64_t input,
                                     std::int64_t stride, std::int64_t dilation,
                                     std::int64_t input_dilation, std::int64_t padding) {
  const std::int64_t place = o * stride + t * dilation - padding;
  if (place < 0 || place % input_dilation != 0 || place / input_dilation >= input) return -1;
  return place / input_dilation;
}
)prelude";

}  // namespace hyperion::codegen

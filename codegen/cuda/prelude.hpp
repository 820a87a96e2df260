// prelude.hpp: what every generated CUDA file begins with: types, the primitives as ir/logic/primitives.def says, and
// how a team of threads holds, moves and reduces a vector.
#pragma once

#include <string_view>

namespace hyperion::codegen {

inline constexpr std::string_view kCudaPrelude =
    R"prelude(// No headers: NVRTC has none, and reading them would take longer than compiling the kernels.
namespace std {
using int8_t = signed char;
using int16_t = short;
using int32_t = int;
using int64_t = long long;
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using uint32_t = unsigned;
using uint64_t = unsigned long long;
template <class To, class From>
To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}
template <class T>
struct numeric_limits;
template <>
struct numeric_limits<int64_t> {
  static constexpr int64_t min() { return static_cast<int64_t>(1ull << 63); }
};
}  // namespace std

namespace hyperion {

// ---- element types ---------------------------------------------------------------------------------------------

// A float narrower than 32 bits: computed with in float, and rounded once when it is made, to nearest, ties to even.
// Without infinity the top exponent holds numbers too, and only all ones is NaN.
template <class Bits, int kExponentBits, int kMantissaBits, bool kHasInfinity = true>
struct SmallFloat {
  static constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  static constexpr unsigned kSign = 1u << (kExponentBits + kMantissaBits);
  static constexpr unsigned kFraction = (1u << kMantissaBits) - 1;
  static constexpr unsigned kTop = kSign - 1 - kFraction;  // the largest exponent
  static constexpr unsigned kNaN = kHasInfinity ? kTop | (1u << (kMantissaBits - 1)) : kTop | kFraction;
  static constexpr unsigned kOverflow = kHasInfinity ? kTop : kNaN;

  Bits bits;

  SmallFloat() = default;
  SmallFloat(float value)
      : bits(static_cast<Bits>((__float_as_uint(value) >> 31 ? kSign : 0) | magnitude(fabsf(value)))) {}

  operator float() const {
    const unsigned exponent = (bits & kTop) >> kMantissaBits, fraction = bits & kFraction;
    const unsigned sign = (bits & kSign) != 0 ? 0x80000000u : 0;
    if (kHasInfinity && (bits & kTop) == kTop && fraction == 0) return __uint_as_float(sign | 0x7f800000u);
    if ((bits & (kSign - 1)) > (kHasInfinity ? kTop : kNaN - 1)) return __uint_as_float(0x7fc00000u);
    // Exact: the fraction in units of the smallest step, times a power of two.
    const unsigned significand = exponent == 0 ? fraction : fraction + kFraction + 1;
    const int scale = static_cast<int>(exponent == 0 ? 1 : exponent) - kBias - kMantissaBits;
    const float value = static_cast<float>(significand) * __uint_as_float(static_cast<unsigned>(scale + 127) << 23);
    return __uint_as_float(__float_as_uint(value) | sign);
  }

 private:
  static unsigned magnitude(float value) {
    const unsigned bits32 = __float_as_uint(value);
    if (bits32 > 0x7f800000u) return kNaN;
    if (bits32 == 0x7f800000u) return kOverflow;
    int exponent = static_cast<int>(bits32 >> 23) - 127;
    if (exponent < 1 - kBias) exponent = 1 - kBias;
    // Steps of the result's size below `value`, rounded to even by the hardware; a carry moves into the exponent.
    const int scale = kMantissaBits - exponent;
    const float steps_float = rintf(ldexpf(value, scale));
    const unsigned steps = static_cast<unsigned>(steps_float);
    const unsigned found = (static_cast<unsigned>(exponent - 1 + kBias) << kMantissaBits) + steps;
    return found < kOverflow ? found : kOverflow;
  }
};
using F8E4M3 = SmallFloat<unsigned char, 4, 3, false>;
using F8E5M2 = SmallFloat<unsigned char, 5, 2>;

struct F16 {
  unsigned short bits;
  F16() = default;
  F16(float value) {
#if __CUDA_ARCH__ >= 800
    unsigned pair;  // see BF16
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(0.0f), "f"(value));
    bits = static_cast<unsigned short>(pair);
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#endif
  }
  operator float() const {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
  }
};

struct BF16 {
  unsigned short bits;
  BF16() = default;
  BF16(float value) {
#if __CUDA_ARCH__ >= 900
    // As the lower half of a pair: converting one alone is an instruction of an eighth of the speed.
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(0.0f), "f"(value));
    bits = static_cast<unsigned short>(pair);
#else
    const unsigned wide = __float_as_uint(value);
    const unsigned rounded = (wide + 0x7fffu + (wide >> 16 & 1)) >> 16;
    bits = static_cast<unsigned short>(value != value ? 0x7fffu : rounded);
#endif
  }
  operator float() const { return __uint_as_float(static_cast<unsigned>(bits) << 16); }
};

template <class T>
constexpr bool is_small_float = false;
template <>
constexpr bool is_small_float<F16> = true;
template <>
constexpr bool is_small_float<BF16> = true;
template <>
constexpr bool is_small_float<F8E4M3> = true;
template <>
constexpr bool is_small_float<F8E5M2> = true;
template <class T>
constexpr bool is_float = false;
template <>
constexpr bool is_float<float> = true;
template <>
constexpr bool is_float<double> = true;
template <class T>
constexpr bool is_bool = false;
template <>
constexpr bool is_bool<bool> = true;
template <class T>
constexpr bool is_signed = static_cast<T>(-1) < static_cast<T>(0);

// ---- primitives ------------------------------------------------------------------------------------------------

// Integers wrap, so their arithmetic is unsigned and cut to size.
template <class T>
struct Unsigned {
  using Type = unsigned;
};
template <>
struct Unsigned<long long> {
  using Type = unsigned long long;
};
template <>
struct Unsigned<unsigned long long> {
  using Type = unsigned long long;
};
template <class T>
auto wide(T x) {
  return static_cast<typename Unsigned<T>::Type>(x);
}

template <class T>
T add(T a, T b) {
  if constexpr (is_float<T>) return a + b;
  else if constexpr (is_bool<T>) return a || b;
  else return static_cast<T>(wide(a) + wide(b));
}
template <class T>
T sub(T a, T b) {
  if constexpr (is_float<T>) return a - b;
  else return static_cast<T>(wide(a) - wide(b));
}
template <class T>
T mul(T a, T b) {
  if constexpr (is_float<T>) return a * b;
  else if constexpr (is_bool<T>) return a && b;
  else return static_cast<T>(wide(a) * wide(b));
}
template <class T>
T div(T a, T b) {
  if constexpr (is_float<T>) return a / b;
  else if (b == 0) return 0;
  else if (is_signed<T> && b == static_cast<T>(-1)) return static_cast<T>(0 - wide(a));
  else return static_cast<T>(a / b);
}
template <class T>
T rem(T a, T b) {
  if constexpr (sizeof(T) == 4 && is_float<T>) return fmodf(a, b);
  else if constexpr (is_float<T>) return fmod(a, b);
  else if (b == 0) return a;
  else if (is_signed<T> && b == static_cast<T>(-1)) return 0;
  else return static_cast<T>(a % b);
}
template <class T>
T fma(T a, T b, T c) {
  if constexpr (sizeof(T) == 4 && is_float<T>) return __fmaf_rn(a, b, c);
  else if constexpr (is_float<T>) return __fma_rn(a, b, c);
  else return static_cast<T>(wide(a) * wide(b) + wide(c));
}
template <class T>
T neg(T a) {
  if constexpr (is_float<T>) return -a;
  else return static_cast<T>(0 - wide(a));
}
template <class T>
T abs(T a) {
  if constexpr (sizeof(T) == 4 && is_float<T>) return fabsf(a);
  else if constexpr (is_float<T>) return fabs(a);
  else return a < 0 ? static_cast<T>(0 - wide(a)) : a;
}
inline float sqrt(float a) { return __fsqrt_rn(a); }
inline double sqrt(double a) { return __dsqrt_rn(a); }
inline float floor(float a) { return floorf(a); }
inline double floor(double a) { return ::floor(a); }
inline float ceil(float a) { return ceilf(a); }
inline double ceil(double a) { return ::ceil(a); }
inline float round(float a) { return rintf(a); }
inline double round(double a) { return rint(a); }
inline float trunc(float a) { return truncf(a); }
inline double trunc(double a) { return ::trunc(a); }
inline bool sign_bit(float a) { return __float_as_int(a) < 0; }
inline bool sign_bit(double a) { return __double_as_longlong(a) < 0; }
template <class T>
T max(T a, T b) {
  if constexpr (is_small_float<T>) {
    return max<float>(a, b);
#if __CUDA_ARCH__ >= 800
  } else if constexpr (is_float<T> && sizeof(T) == 4) {
    float larger;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(a), "f"(b));
    return larger;
#endif
  } else if constexpr (is_float<T>) {
    if (a != a || b != b) return a + b;
    return a < b || (a == b && sign_bit(a)) ? b : a;
  } else {
    return a < b ? b : a;
  }
}
template <class T>
T min(T a, T b) {
  if constexpr (is_small_float<T>) {
    return min<float>(a, b);
#if __CUDA_ARCH__ >= 800
  } else if constexpr (is_float<T> && sizeof(T) == 4) {
    float smaller;
    asm("min.NaN.f32 %0, %1, %2;" : "=f"(smaller) : "f"(a), "f"(b));
    return smaller;
#endif
  } else if constexpr (is_float<T>) {
    if (a != a || b != b) return a + b;
    return b < a || (a == b && sign_bit(b)) ? b : a;
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
  if constexpr (is_bool<T>) return !a;
  else return static_cast<T>(~a);
}
template <class T>
constexpr int width = 8 * sizeof(T);
template <class T>
T shl(T a, T b) {
  return b < 0 || b >= static_cast<T>(width<T>) ? T(0) : static_cast<T>(wide(a) << b);
}
template <class T>
T shr(T a, T b) {
  if (b < 0 || b >= static_cast<T>(width<T>)) return a < 0 ? static_cast<T>(-1) : T(0);
  return static_cast<T>(a >> b);
}
template <class To, class From>
To cast(From a) {
  if constexpr (is_small_float<From>) {
    return cast<To>(static_cast<float>(a));
  } else if constexpr (is_small_float<To>) {
    return To(static_cast<float>(a));
  } else if constexpr (is_bool<To>) {
    return a != 0;
  } else if constexpr (is_float<To> || !is_float<From>) {
    return static_cast<To>(a);
  } else {
    constexpr int digits = width<To> - (is_signed<To> ? 1 : 0);
    constexpr To lowest = is_signed<To> ? static_cast<To>(1ull << (width<To> - 1)) : To(0);
    constexpr From above = static_cast<From>(1ull << (digits - 1)) * 2;
    if (a != a) return 0;
    if (a >= above) return static_cast<To>(~lowest);
    if (a <= static_cast<From>(lowest)) return lowest;
    return static_cast<To>(a);
  }
}

// The same number, of which the compiler knows nothing: it takes `x > -0.0 ? x : -0.0` for a maximum, and gives 0 for 0.
template <class T>
T unknown(T x) {
  if constexpr (sizeof(T) == 8) asm("" : "+d"(x));
  else if constexpr (sizeof(T) == 4) asm("" : "+f"(x));
  else if constexpr (sizeof(T) == 2) asm("" : "+h"(x.bits));
  return x;
}

// ---- vectors held by a team ------------------------------------------------------------------------------------
//
// A team is T threads that run one tile together. Of a vector each thread holds chunks of C neighbouring elements, one
// every T * C elements: so a warp's access is contiguous, and a thread's is up to 16 bytes.

#define HYP_EACH(i, n) _Pragma("unroll") for (int i = 0; i < (n); ++i)
#define HYP_CHUNKS(i, n, c) _Pragma("unroll") for (int i = 0; i < (n); i += (c))

template <int T, int C>
int lane(int i, int thread) {
  return i / C * (T * C) + thread * C + i % C;
}

template <class E, int C>
struct alignas(sizeof(E) * C >= 16 ? 16 : sizeof(E) * C) Chunk {
  E at[C];
};

// One chunk, from or to where a multiple of its size lies. Where `exists` is false nothing is read, and elements are zero.
template <int C, class E>
void load_chunk(E* to, const E* from, bool exists = true) {
  Chunk<E, C> chunk;
  if (exists) chunk = *reinterpret_cast<const Chunk<E, C>*>(from);
  HYP_EACH(s, C) to[s] = exists ? chunk.at[s] : E(0);
}
template <int C, class E>
void store_chunk(const E* from, E* to, bool exists = true) {
  Chunk<E, C> chunk;
  HYP_EACH(s, C) chunk.at[s] = from[s];
  if (exists) *reinterpret_cast<Chunk<E, C>*>(to) = chunk;
}

// A vector whose lanes are neighbours in memory. A mask is the same for all elements of a chunk.
template <int T, int C, class E, int R>
void load(E (&to)[R], const E* from, int thread) {
  HYP_CHUNKS(i, R, C) load_chunk<C>(to + i, from + lane<T, C>(i, thread));
}
template <int T, int C, class E, int R>
void load(E (&to)[R], const E* from, int thread, const bool (&mask)[R]) {
  HYP_CHUNKS(i, R, C) load_chunk<C>(to + i, from + lane<T, C>(i, thread), mask[i]);
}
template <int T, int C, class E, int R>
void store(const E (&from)[R], E* to, int thread) {
  HYP_CHUNKS(i, R, C) store_chunk<C>(from + i, to + lane<T, C>(i, thread));
}
template <int T, int C, class E, int R>
void store(const E (&from)[R], E* to, int thread, const bool (&mask)[R]) {
  HYP_CHUNKS(i, R, C) store_chunk<C>(from + i, to + lane<T, C>(i, thread), mask[i]);
}

template <class E>
E shuffle(E x, int distance) {
  if constexpr (is_small_float<E>) {
    return E(shuffle(static_cast<float>(x), distance));
  } else if constexpr (sizeof(E) == 8) {
    return std::bit_cast<E>(__shfl_xor_sync(~0u, std::bit_cast<unsigned long long>(x), distance));
  } else if constexpr (sizeof(E) == 4) {
    return std::bit_cast<E>(__shfl_xor_sync(~0u, std::bit_cast<unsigned>(x), distance));
  } else {
    return static_cast<E>(__shfl_xor_sync(~0u, static_cast<int>(x), distance));
  }
}

// All of a vector combined, for every thread of the team. First what a thread holds, then its warp, then the warps, in
// an order that depends on T, C and R alone. `shared`: one element for each warp of the team; `team` tells teams apart
// that share a block.
template <int T, class E, int R, class Combine>
E reduce_team(const E (&x)[R], Combine combine, E* shared, int thread) {
  E partial[R];
  HYP_EACH(i, R) partial[i] = x[i];
  // By halves, so that chains are short.
  int count = R;
  HYP_EACH(step, 12) {
    if (count > 1) {
      const int half = (count + 1) / 2;
      HYP_EACH(i, R) if (i + half < count) partial[i] = combine(partial[i], partial[i + half]);
      count = half;
    }
  }
  E all = partial[0];
  HYP_EACH(bit, 5) if ((1 << bit) < T) all = combine(all, shuffle(all, 1 << bit));
  if constexpr (T > 32) {
    constexpr int kWarps = T / 32;
    if (thread % 32 == 0) shared[thread / 32] = all;
    __syncthreads();
    // Every warp combines for itself what all warps left.
    all = shared[thread % 32 % kWarps];
    if constexpr ((kWarps & (kWarps - 1)) == 0) {
      HYP_EACH(bit, 5) if ((1 << bit) < kWarps) all = combine(all, shuffle(all, 1 << bit));
    } else {
      all = shared[0];
      HYP_EACH(w, kWarps - 1) all = combine(all, shared[w + 1]);
    }
    __syncthreads();
  }
  return all;
}

// The vector is a matrix of so many columns, row by row; each element becomes what its column combines to, from the first row
// on. `shared`: the whole matrix.
template <int T, int C, int kColumns, class E, int R, class Combine>
void reduce_columns(E (&to)[R], const E (&x)[R], Combine combine, E* shared, int thread) {
  HYP_EACH(i, R) shared[lane<T, C>(i, thread)] = x[i];
  if constexpr (T > 32) __syncthreads();
  else __syncwarp();
  HYP_EACH(i, R) {
    const int column = lane<T, C>(i, thread) % kColumns;
    to[i] = shared[column];
    HYP_EACH(row, T * R / kColumns - 1) to[i] = combine(to[i], shared[(row + 1) * kColumns + column]);
  }
  if constexpr (T > 32) __syncthreads();
  else __syncwarp();
}

// Partial result l combined with l + s for s = half the lanes, a quarter, ..., 1: the order of the CPU's vectors.
// REQUIRES: T <= 32; all are powers of two.
template <int T, int C, class E, int R, class Combine>
E reduce_lanes(const E (&x)[R], Combine combine) {
  E partial[R];
  HYP_EACH(i, R) partial[i] = x[i];
  HYP_EACH(step, 6) {
    const int distance = R >> (step + 1);
    if (distance >= C) HYP_EACH(i, R) if (i < distance) partial[i] = combine(partial[i], partial[i + distance]);
  }
  HYP_EACH(step, 5) {
    constexpr int kTop = T / 2;
    const int distance = kTop >> step;
    if (distance > 0) {
      HYP_EACH(i, C) {
        // The lower half combines (own, other); the upper one must too, in the same order.
        const E other = shuffle(partial[i], distance);
        partial[i] = (threadIdx.x & distance) == 0 ? combine(partial[i], other) : combine(other, partial[i]);
      }
    }
  }
  HYP_EACH(step, 4) {
    const int distance = C >> (step + 1);
    if (distance > 0) HYP_EACH(i, C) if (i < distance) partial[i] = combine(partial[i], partial[i + distance]);
  }
  return partial[0];
}
// In order, one after the other.
template <int T, int C, class E, int R, class Combine>
E reduce_ascending(const E (&x)[R], E all, Combine combine) {
  HYP_EACH(q, R / C) {
    for (int t = 0; t < T; ++t) {
      HYP_EACH(s, C) {
        E element = x[q * C + s];
        if constexpr (T > 1) {
          if constexpr (sizeof(E) == 8) {
            element = std::bit_cast<E>(__shfl_sync(~0u, std::bit_cast<unsigned long long>(element), t, T));
          } else if constexpr (sizeof(E) == 4) {
            element = std::bit_cast<E>(__shfl_sync(~0u, std::bit_cast<unsigned>(element), t, T));
          } else {
            element = static_cast<E>(__shfl_sync(~0u, static_cast<int>(element), t, T));
          }
        }
        all = combine(all, element);
      }
    }
  }
  return all;
}
)prelude";

}  // namespace hyperion::codegen

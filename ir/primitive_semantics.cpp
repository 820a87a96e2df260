#include "ir/primitive_semantics.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "ir/literal.hpp"
#include "ir/support/check.hpp"

namespace hyperion::ir {
namespace {

template <class T>
T from_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);  // little-endian: the low bytes
  return value;
}

template <class T>
std::uint64_t to_bits(T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

[[noreturn]] void undefined_on(DType dtype) {
  check_failed("primitive is defined on its operands", dtype_name(dtype), __FILE__, __LINE__);
}

// IEEE 754-2019 maximum (sign = 1) and minimum (sign = -1).
template <class T>
T extreme(T x, T y, bool larger) {
  if (std::isnan(x) || std::isnan(y)) return std::numeric_limits<T>::quiet_NaN();
  if (x == y) return std::signbit(x) == larger ? y : x;  // zeros of two signs
  return (x > y) == larger ? x : y;
}

template <class T>
T evaluate_floating(Primitive primitive, const T* x) {
  switch (primitive) {
    case Primitive::add: return x[0] + x[1];
    case Primitive::sub: return x[0] - x[1];
    case Primitive::mul: return x[0] * x[1];
    case Primitive::div: return x[0] / x[1];
    case Primitive::rem: return std::fmod(x[0], x[1]);
    case Primitive::fma: return std::fma(x[0], x[1], x[2]);
    case Primitive::neg: return -x[0];
    case Primitive::abs: return std::fabs(x[0]);
    case Primitive::sqrt: return std::sqrt(x[0]);
    case Primitive::floor: return std::floor(x[0]);
    case Primitive::ceil: return std::ceil(x[0]);
    case Primitive::round: return std::nearbyint(x[0]);
    case Primitive::trunc: return std::trunc(x[0]);
    case Primitive::max: return extreme(x[0], x[1], true);
    case Primitive::min: return extreme(x[0], x[1], false);
    default: undefined_on(dtype_of<T>());
  }
}

template <class T>
T shift_left(T x, T count) {
  constexpr int width = std::numeric_limits<std::make_unsigned_t<T>>::digits;
  if (count < 0 || count >= width) return 0;
  return static_cast<T>(static_cast<std::uint64_t>(x) << count);
}

template <class T>
T shift_right(T x, T count) {
  constexpr int width = std::numeric_limits<std::make_unsigned_t<T>>::digits;
  if (count < 0 || count >= width) return x < 0 ? T(-1) : T(0);
  return static_cast<T>(x >> count);  // C++20: arithmetic for signed types
}

template <class T>
T divide(T x, T y) {
  if (y == 0) return 0;
  if (std::is_signed_v<T> && y == T(-1)) return static_cast<T>(std::uint64_t{0} - static_cast<std::uint64_t>(x));
  return static_cast<T>(x / y);
}

template <class T>
T remainder(T x, T y) {
  if (y == 0) return x;
  if (std::is_signed_v<T> && y == T(-1)) return 0;
  return static_cast<T>(x % y);
}

// Sums and products go through 64-bit unsigned numbers, which wrap by definition.
template <class T>
T evaluate_integer(Primitive primitive, const T* x) {
  const auto wide = [&](int k) { return static_cast<std::uint64_t>(x[k]); };
  switch (primitive) {
    case Primitive::add: return static_cast<T>(wide(0) + wide(1));
    case Primitive::sub: return static_cast<T>(wide(0) - wide(1));
    case Primitive::mul: return static_cast<T>(wide(0) * wide(1));
    case Primitive::div: return divide(x[0], x[1]);
    case Primitive::rem: return remainder(x[0], x[1]);
    case Primitive::fma: return static_cast<T>(wide(0) * wide(1) + wide(2));
    case Primitive::neg: return static_cast<T>(0 - wide(0));
    case Primitive::abs: return x[0] < 0 ? static_cast<T>(0 - wide(0)) : x[0];
    case Primitive::max: return x[0] > x[1] ? x[0] : x[1];
    case Primitive::min: return x[0] < x[1] ? x[0] : x[1];
    case Primitive::and_: return static_cast<T>(wide(0) & wide(1));
    case Primitive::or_: return static_cast<T>(wide(0) | wide(1));
    case Primitive::xor_: return static_cast<T>(wide(0) ^ wide(1));
    case Primitive::not_: return static_cast<T>(~wide(0));
    case Primitive::shl: return shift_left(x[0], x[1]);
    case Primitive::shr: return shift_right(x[0], x[1]);
    default: undefined_on(dtype_of<T>());
  }
}

std::uint64_t evaluate_boolean(Primitive primitive, std::span<const std::uint64_t> args) {
  switch (primitive) {
    case Primitive::add:
    case Primitive::or_:
    case Primitive::max: return args[0] | args[1];
    case Primitive::mul:
    case Primitive::and_:
    case Primitive::min: return args[0] & args[1];
    case Primitive::xor_: return args[0] ^ args[1];
    case Primitive::not_: return args[0] ^ 1;
    default: undefined_on(DType::bool_);
  }
}

template <class T>
bool holds(T x, T y, std::int64_t direction) {
  switch (direction) {
    case 0: return x == y;
    case 1: return x != y;
    case 2: return x < y;
    case 3: return x <= y;
    case 4: return x > y;
    default: return x >= y;
  }
}

std::byte* bytes_of(std::uint64_t& bits) { return reinterpret_cast<std::byte*>(&bits); }

bool is_small_float(DType dtype) { return is_floating(dtype) && byte_size(dtype) < 4; }
float small_to_f32(DType dtype, std::uint64_t bits) {
  return static_cast<float>(element_to_double(dtype, bytes_of(bits)));
}

std::uint64_t convert(DType from, DType to, std::uint64_t bits) {
  std::uint64_t out = 0;
  if (from == DType::u64 && is_floating(to)) {  // beyond the range of i64: rounded once to f64, or once to f32
    const double value = to == DType::f64 ? static_cast<double>(bits) : static_cast<double>(static_cast<float>(bits));
    element_from_double(to, value, bytes_of(out));
  } else if (is_floating(from)) {
    element_from_double(to, element_to_double(from, bytes_of(bits)), bytes_of(out));
  } else {
    element_from_integer(to, element_to_integer(from, bytes_of(bits)), bytes_of(out));
  }
  return out;
}

bool compare(DType dtype, std::uint64_t x, std::uint64_t y, std::int64_t direction) {
  if (is_floating(dtype)) {
    return holds(element_to_double(dtype, bytes_of(x)), element_to_double(dtype, bytes_of(y)), direction);
  }
  if (dtype == DType::u64) return holds(x, y, direction);
  return holds(element_to_integer(dtype, bytes_of(x)), element_to_integer(dtype, bytes_of(y)), direction);
}

template <class T>
std::uint64_t evaluate_as(Primitive primitive, std::span<const std::uint64_t> args) {
  T values[3] = {};
  for (std::size_t k = 0; k < args.size(); ++k) values[k] = from_bits<T>(args[k]);
  if constexpr (std::is_floating_point_v<T>) {
    return to_bits(evaluate_floating<T>(primitive, values));
  } else {
    return to_bits(evaluate_integer<T>(primitive, values));
  }
}

std::uint64_t evaluate_small_float(Primitive primitive, DType dtype, std::span<const std::uint64_t> args) {
  float values[3] = {};
  for (std::size_t k = 0; k < args.size(); ++k) values[k] = small_to_f32(dtype, args[k]);
  std::uint64_t out = 0;
  element_from_double(dtype, evaluate_floating<float>(primitive, values), bytes_of(out));
  return out;
}

}  // namespace

std::uint64_t evaluate_primitive(Primitive primitive, DType result, DType operand,
                                 std::span<const std::uint64_t> args, std::int64_t immediate) {
  switch (primitive) {
    case Primitive::compare: return compare(operand, args[0], args[1], immediate) ? 1 : 0;
    case Primitive::select: return args[0] != 0 ? args[1] : args[2];
    case Primitive::cast: return convert(operand, result, args[0]);
    case Primitive::bitcast: return args[0];
    default: break;
  }
  switch (operand) {
    case DType::f64: return evaluate_as<double>(primitive, args);
    case DType::f32: return evaluate_as<float>(primitive, args);
    case DType::i64: return evaluate_as<std::int64_t>(primitive, args);
    case DType::i32: return evaluate_as<std::int32_t>(primitive, args);
    case DType::i16: return evaluate_as<std::int16_t>(primitive, args);
    case DType::i8: return evaluate_as<std::int8_t>(primitive, args);
    case DType::u64: return evaluate_as<std::uint64_t>(primitive, args);
    case DType::u32: return evaluate_as<std::uint32_t>(primitive, args);
    case DType::u16: return evaluate_as<std::uint16_t>(primitive, args);
    case DType::u8: return evaluate_as<std::uint8_t>(primitive, args);
    case DType::bool_: return evaluate_boolean(primitive, args);
    default: break;
  }
  if (!is_small_float(operand)) undefined_on(operand);
  return evaluate_small_float(primitive, operand, args);
}

std::uint64_t evaluate_program(const ScalarProgram& program, std::span<std::uint64_t> registers) {
  std::size_t next = program.arguments.size();
  for (const ScalarInstruction& instruction : program.instructions) {
    if (instruction.primitive == Primitive::none) {
      registers[next++] = static_cast<std::uint64_t>(instruction.bits);
      continue;
    }
    std::uint64_t args[3] = {};
    std::size_t count = 0;
    for (; count < 3 && instruction.args[count] >= 0; ++count) {
      args[count] = registers[static_cast<std::size_t>(instruction.args[count])];
    }
    registers[next++] = evaluate_primitive(instruction.primitive, instruction.dtype,
                                           program.dtype_of(instruction.args[0]), {args, count}, instruction.bits);
  }
  return registers[static_cast<std::size_t>(program.result)];
}

}  // namespace hyperion::ir

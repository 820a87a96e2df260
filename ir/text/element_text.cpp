#include "ir/text/element_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "ir/literal.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir {
namespace {

std::uint64_t load_bits(DType dtype, const std::byte* bytes) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes, byte_size(dtype));
  return bits;
}

// The NaN that `nan` stands for: quiet, positive, no payload.
std::uint64_t quiet_nan_bits(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 0x7ff8000000000000;
    case DType::f32:
      return 0x7fc00000;
    case DType::f16:
      return 0x7e00;
    case DType::bf16:
      return 0x7fc0;
    case DType::f8e4m3:
      return 0x7f;
    default:
      return 0x7e;  // f8e5m2
  }
}

// Makes a float's digits look like a float: 1 becomes 1.0.
std::string with_point(std::string_view digits) {
  std::string text(digits);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

template <class T>
std::string shortest(T value) {
  std::array<char, 40> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return with_point(std::string_view(buffer.data(), end));
}

// The shortest text of a 16- or 8-bit float, found by trying: nine digits always suffice for its
// f32 value.
std::string shortest_small(DType dtype, const std::byte* bytes) {
  const auto value = static_cast<float>(element_to_double(dtype, bytes));
  std::array<char, 40> buffer;
  std::array<std::byte, 8> back;
  for (int precision = 1; precision < 9; ++precision) {
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                   std::chars_format::general, precision)
                         .ptr;
    const std::string text = with_point(std::string_view(buffer.data(), end));
    if (parse_element(dtype, text, back.data()) &&
        std::memcmp(back.data(), bytes, byte_size(dtype)) == 0)
      return text;
  }
  return shortest(value);
}

std::string float_text(DType dtype, const std::byte* bytes) {
  const double value = element_to_double(dtype, bytes);
  if (std::isnan(value)) {
    const std::uint64_t bits = load_bits(dtype, bytes);
    return bits == quiet_nan_bits(dtype) ? "nan"
                                         : format("nan(0x{:0{}x})", bits, 2 * byte_size(dtype));
  }
  if (dtype == DType::f64) return shortest(value);
  if (dtype == DType::f32 || std::isinf(value)) return shortest(static_cast<float>(value));
  return shortest_small(dtype, bytes);
}

template <class T>
bool parse_number(std::string_view text, T& value, int base = 10) {
  std::from_chars_result result;
  if constexpr (std::is_floating_point_v<T>) {
    result = std::from_chars(text.data(), text.data() + text.size(), value);
  } else {
    result = std::from_chars(text.data(), text.data() + text.size(), value, base);
  }
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool parse_nan_bits(DType dtype, std::string_view text, std::byte* bytes) {
  std::uint64_t bits = quiet_nan_bits(dtype);
  if (text != "nan") {
    if (!text.starts_with("nan(0x") || !text.ends_with(')')) return false;
    if (!parse_number(text.substr(6, text.size() - 7), bits, 16)) return false;
  }
  const std::size_t size = byte_size(dtype);
  if (size < 8 && (bits >> (8 * size)) != 0) return false;
  std::memcpy(bytes, &bits, size);
  return std::isnan(element_to_double(dtype, bytes));
}

bool parse_float(DType dtype, std::string_view text, std::byte* bytes) {
  if (text.starts_with("nan")) return parse_nan_bits(dtype, text, bytes);
  const bool negative = text.starts_with('-');
  if (text.substr(negative) == "inf") {
    element_from_double(dtype, negative ? -INFINITY : INFINITY, bytes);
    return std::isinf(element_to_double(dtype, bytes));
  }
  // from_chars would also take "infinity" and "nan(...)" in any case.
  if (text.size() <= negative || text[negative] < '0' || text[negative] > '9') return false;
  if (dtype == DType::f64) {
    double value = 0;
    if (!parse_number(text, value)) return false;
    std::memcpy(bytes, &value, sizeof value);
    return true;
  }
  float value = 0;
  if (!parse_number(text, value)) return false;
  element_from_double(dtype, value, bytes);
  return std::isfinite(element_to_double(dtype, bytes));
}

bool parse_integer(DType dtype, std::string_view text, std::byte* bytes) {
  const auto bits = static_cast<int>(8 * byte_size(dtype));
  if (is_unsigned_integer(dtype)) {
    std::uint64_t value = 0;
    if (!parse_number(text, value) || (bits < 64 && (value >> bits) != 0)) return false;
    std::memcpy(bytes, &value, byte_size(dtype));
    return true;
  }
  std::int64_t value = 0;
  if (!parse_number(text, value)) return false;
  const std::int64_t limit = bits < 64 ? std::int64_t{1} << (bits - 1) : 0;
  if (bits < 64 && (value < -limit || value >= limit)) return false;
  std::memcpy(bytes, &value, byte_size(dtype));
  return true;
}

DType part_of(DType complex) { return complex == DType::c64 ? DType::f32 : DType::f64; }

bool parse_complex(DType dtype, std::string_view text, std::byte* bytes) {
  const std::size_t comma = text.find(", ");
  if (!text.starts_with('(') || !text.ends_with(')') || comma == std::string_view::npos)
    return false;
  const DType part = part_of(dtype);
  return parse_float(part, text.substr(1, comma - 1), bytes) &&
         parse_float(part, text.substr(comma + 2, text.size() - comma - 3),
                     bytes + byte_size(part));
}

}  // namespace

std::string element_text(DType dtype, const std::byte* bytes) {
  switch (kind_of(dtype)) {
    case DTypeKind::boolean:
      return element_to_integer(dtype, bytes) != 0 ? "true" : "false";
    case DTypeKind::signed_integer:
      return std::to_string(element_to_integer(dtype, bytes));
    case DTypeKind::unsigned_integer:
      return std::to_string(load_bits(dtype, bytes));
    case DTypeKind::floating:
      return float_text(dtype, bytes);
    case DTypeKind::complex:
      break;
  }
  const DType part = part_of(dtype);
  return format("({}, {})", float_text(part, bytes), float_text(part, bytes + byte_size(part)));
}

bool parse_element(DType dtype, std::string_view text, std::byte* bytes) {
  switch (kind_of(dtype)) {
    case DTypeKind::boolean:
      bytes[0] = std::byte{text == "true"};
      return text == "true" || text == "false";
    case DTypeKind::signed_integer:
    case DTypeKind::unsigned_integer:
      return parse_integer(dtype, text, bytes);
    case DTypeKind::floating:
      return parse_float(dtype, text, bytes);
    case DTypeKind::complex:
      return parse_complex(dtype, text, bytes);
  }
  return false;
}

}  // namespace hyperion::ir

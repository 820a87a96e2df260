#include "ir/literal.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ir/support/check.hpp"
#include "ir/support/float_formats.hpp"

namespace hyperion {
namespace {

template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

template <class T>
void store(std::byte* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

// Float to integer as `cast` defines it: truncation towards zero, saturation, NaN to 0.
template <class T>
T saturating(double value) {
  if (std::isnan(value)) return 0;
  // 2^digits is exact in double where the largest T may not be.
  const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);
  if (value >= limit) return std::numeric_limits<T>::max();
  if (value <= (std::is_signed_v<T> ? -limit : 0.0)) return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

}  // namespace

double element_to_double(DType dtype, const std::byte* bytes) {
  switch (dtype) {
    case DType::f64: return load<double>(bytes);
    case DType::f32: return load<float>(bytes);
    case DType::f16: return f16_to_float(load<std::uint16_t>(bytes));
    case DType::bf16: return bf16_to_float(load<std::uint16_t>(bytes));
    case DType::f8e4m3: return f8e4m3_to_float(load<std::uint8_t>(bytes));
    case DType::f8e5m2: return f8e5m2_to_float(load<std::uint8_t>(bytes));
    case DType::u64: return static_cast<double>(load<std::uint64_t>(bytes));
    case DType::c64: return load<float>(bytes);
    case DType::c128: return load<double>(bytes);
    default: return static_cast<double>(element_to_integer(dtype, bytes));
  }
}

void element_from_double(DType dtype, double value, std::byte* bytes) {
  switch (dtype) {
    case DType::f64: return store(bytes, value);
    case DType::f32: return store(bytes, static_cast<float>(value));
    case DType::f16: return store(bytes, float_to_f16(static_cast<float>(value)));
    case DType::bf16: return store(bytes, float_to_bf16(static_cast<float>(value)));
    case DType::f8e4m3: return store(bytes, float_to_f8e4m3(static_cast<float>(value)));
    case DType::f8e5m2: return store(bytes, float_to_f8e5m2(static_cast<float>(value)));
    case DType::i64: return store(bytes, saturating<std::int64_t>(value));
    case DType::i32: return store(bytes, saturating<std::int32_t>(value));
    case DType::i16: return store(bytes, saturating<std::int16_t>(value));
    case DType::i8: return store(bytes, saturating<std::int8_t>(value));
    case DType::u64: return store(bytes, saturating<std::uint64_t>(value));
    case DType::u32: return store(bytes, saturating<std::uint32_t>(value));
    case DType::u16: return store(bytes, saturating<std::uint16_t>(value));
    case DType::u8: return store(bytes, saturating<std::uint8_t>(value));
    case DType::bool_: return store(bytes, static_cast<std::uint8_t>(value != 0));
    case DType::c64:
      store(bytes, static_cast<float>(value));
      return store(bytes + 4, 0.0f);
    case DType::c128:
      store(bytes, value);
      return store(bytes + 8, 0.0);
  }
}

std::int64_t element_to_integer(DType dtype, const std::byte* bytes) {
  switch (dtype) {
    case DType::i64: return load<std::int64_t>(bytes);
    case DType::i32: return load<std::int32_t>(bytes);
    case DType::i16: return load<std::int16_t>(bytes);
    case DType::i8: return load<std::int8_t>(bytes);
    case DType::u64: return static_cast<std::int64_t>(load<std::uint64_t>(bytes));
    case DType::u32: return load<std::uint32_t>(bytes);
    case DType::u16: return load<std::uint16_t>(bytes);
    case DType::u8: return load<std::uint8_t>(bytes);
    case DType::bool_: return load<std::uint8_t>(bytes);
    default: return saturating<std::int64_t>(element_to_double(dtype, bytes));
  }
}

void element_from_integer(DType dtype, std::int64_t value, std::byte* bytes) {
  switch (kind_of(dtype)) {
    case DTypeKind::boolean: return store(bytes, static_cast<std::uint8_t>(value != 0));
    case DTypeKind::signed_integer:
    case DTypeKind::unsigned_integer:
      std::memcpy(bytes, &value, byte_size(dtype));  // little-endian: wraps
      return;
    case DTypeKind::floating:
      // An i64 rounds to f32 once, not through f64.
      if (dtype == DType::f64) return store(bytes, static_cast<double>(value));
      if (dtype == DType::f32) return store(bytes, static_cast<float>(value));
      return element_from_double(dtype, static_cast<float>(value), bytes);
    case DTypeKind::complex: return element_from_double(dtype, static_cast<double>(value), bytes);
  }
}

Literal::Literal(Type type, std::vector<std::byte> bytes, bool is_splat)
    : type_(type), bytes_(std::move(bytes)), is_splat_(is_splat), hash_(hash_bytes(bytes_)) {
  hash_.high = hash_combine(hash_.high, type_.hash() + (is_splat_ ? 1 : 0));
}

LiteralPtr Literal::make(Type type, std::span<const std::byte> bytes) {
  HYP_CHECK(type.is_static() && bytes.size() == type.bytes(), "literal bytes do not fit its type");
  const std::size_t size = byte_size(type.dtype());
  bool same = !bytes.empty();
  for (std::size_t i = size; same && i < bytes.size(); i += size) {
    same = std::memcmp(bytes.data(), bytes.data() + i, size) == 0;
  }
  if (same) return splat(type, bytes.first(size));
  return LiteralPtr(new Literal(type, {bytes.begin(), bytes.end()}, false));
}

LiteralPtr Literal::splat(Type type, std::span<const std::byte> element) {
  HYP_CHECK(element.size() == byte_size(type.dtype()), "a splat holds one element");
  return LiteralPtr(new Literal(type, {element.begin(), element.end()}, true));
}

LiteralPtr Literal::splat(Type type, double value) {
  std::vector<std::byte> element(byte_size(type.dtype()));
  element_from_double(type.dtype(), value, element.data());
  return splat(type, element);
}

LiteralPtr Literal::splat_integer(Type type, std::int64_t value) {
  std::vector<std::byte> element(byte_size(type.dtype()));
  element_from_integer(type.dtype(), value, element.data());
  return splat(type, element);
}

std::span<const std::byte> Literal::element(std::int64_t index) const {
  const std::size_t size = byte_size(type_.dtype());
  return std::span(bytes_).subspan(is_splat_ ? 0 : static_cast<std::size_t>(index) * size, size);
}

std::vector<std::byte> Literal::dense_bytes() const {
  if (!is_splat_) return bytes_;
  std::vector<std::byte> out;
  out.reserve(type_.bytes());
  for (std::int64_t i = 0; i < type_.element_count(); ++i) {
    out.insert(out.end(), bytes_.begin(), bytes_.end());
  }
  return out;
}

double Literal::splat_value() const {
  HYP_CHECK(is_splat_, "splat_value of a literal with different elements");
  return element_to_double(type_.dtype(), bytes_.data());
}

}  // namespace hyperion

// dtype.hpp: element types, and nothing else. The list is ir/dtypes.def.
//
// In memory every element is little-endian and as wide as its `bits`; bool is one byte, 0 or 1; complex is real part,
// then imaginary part. f8e4m3 has no infinity (the OCP "fn" form: largest 448, NaN 0x7f); f8e5m2 follows IEEE.
// Complex types exist in the type system; no backend computes with them yet, and each says so, naming the type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hyperion {

enum class DType : std::uint8_t {
#define HYP_DTYPE(name, bits, kind) name,
#include "ir/dtypes.def"
#undef HYP_DTYPE
};

enum class DTypeKind : std::uint8_t { boolean, signed_integer, unsigned_integer, floating, complex };

DTypeKind kind_of(DType dtype);
std::size_t byte_size(DType dtype);
std::string_view dtype_name(DType dtype);  // "f32", "bool"
std::optional<DType> parse_dtype(std::string_view name);
std::span<const DType> all_dtypes();

inline bool is_floating(DType t) { return kind_of(t) == DTypeKind::floating; }
inline bool is_complex(DType t) { return kind_of(t) == DTypeKind::complex; }
inline bool is_boolean(DType t) { return kind_of(t) == DTypeKind::boolean; }
inline bool is_signed_integer(DType t) { return kind_of(t) == DTypeKind::signed_integer; }
inline bool is_unsigned_integer(DType t) { return kind_of(t) == DTypeKind::unsigned_integer; }
inline bool is_integer(DType t) { return is_signed_integer(t) || is_unsigned_integer(t); }

// The type that sums of `dtype` are carried in: f32 for 16- and 8-bit floats, otherwise the type itself.
DType accumulation_dtype(DType dtype);

// The dtype of a C++ element type: dtype_of<float>() is f32.
template <class T>
constexpr DType dtype_of();
template <> constexpr DType dtype_of<double>() { return DType::f64; }
template <> constexpr DType dtype_of<float>() { return DType::f32; }
template <> constexpr DType dtype_of<std::int64_t>() { return DType::i64; }
template <> constexpr DType dtype_of<std::int32_t>() { return DType::i32; }
template <> constexpr DType dtype_of<std::int16_t>() { return DType::i16; }
template <> constexpr DType dtype_of<std::int8_t>() { return DType::i8; }
template <> constexpr DType dtype_of<std::uint64_t>() { return DType::u64; }
template <> constexpr DType dtype_of<std::uint32_t>() { return DType::u32; }
template <> constexpr DType dtype_of<std::uint16_t>() { return DType::u16; }
template <> constexpr DType dtype_of<std::uint8_t>() { return DType::u8; }
template <> constexpr DType dtype_of<bool>() { return DType::bool_; }

}  // namespace hyperion

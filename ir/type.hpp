// type.hpp: dimensions and tensor types.
//
// A Dim is a whole number ≥ 0 or a linear expression of named symbols with whole coefficients, such as 2*n+1; it is
// eight bytes, and two Dims are equal exactly when their normal forms are. A Type is a dtype and 0 to 8 dimensions,
// interned for the life of the process, so it is one pointer and equality is identity. Types are shared by recorded
// graphs and by all modules, which is why they belong to the process rather than to a module. Neither order nor
// printing depends on the pointer. Layout, sharding and device are attributes of placement, not part of a type.
//
// Thread safety: all functions; the tables behind them only grow.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/dtype.hpp"

namespace hyperion {

class Dim {
 public:
  constexpr Dim() = default;
  // REQUIRES: value >= 0 for a dimension; intermediate results of arithmetic may be negative.
  constexpr Dim(std::int64_t value) : bits_(value) {}  // NOLINT: a number is a dimension
  static Dim symbol(std::string_view name);

  bool is_static() const { return bits_ > kSymbolic; }
  // REQUIRES: is_static().
  std::int64_t value() const;
  std::string text() const;  // "128", "n", "2*n+1"

  friend Dim operator+(Dim a, Dim b);
  friend Dim operator-(Dim a, Dim b);
  friend Dim operator*(Dim a, std::int64_t factor);
  // a / divisor, if every coefficient divides exactly.
  std::optional<Dim> divided_by(std::int64_t divisor) const;
  friend bool operator==(Dim a, Dim b) = default;

  // The value under an assignment of all its symbols; nullopt if one is missing.
  std::optional<std::int64_t> evaluate(const std::map<std::string, std::int64_t>& symbols) const;
  std::vector<std::string> symbols() const;
  std::int64_t raw() const { return bits_; }  // for hashing only

 private:
  // Symbolic dimensions are indices into a table, stored far below any number that arithmetic on sizes can reach.
  static constexpr std::int64_t kSymbolic = -(std::int64_t{1} << 62);
  friend struct DimTable;
  std::int64_t bits_ = 0;
};

inline constexpr int kMaxRank = 8;  // also in the binary form and in kernel signatures

class Type {
 public:
  Type() = default;  // no type
  Type(DType dtype, std::span<const Dim> dims);
  Type(DType dtype, std::initializer_list<Dim> dims) : Type(dtype, std::span(dims.begin(), dims.size())) {}
  static Type scalar(DType dtype) { return Type(dtype, std::span<const Dim>()); }

  bool valid() const { return data_ != nullptr; }
  DType dtype() const { return data_->dtype; }
  int rank() const { return static_cast<int>(data_->dims.size()); }
  std::span<const Dim> dims() const { return data_->dims; }
  Dim dim(int axis) const { return data_->dims[static_cast<std::size_t>(axis)]; }
  bool is_static() const { return data_->is_static; }

  // REQUIRES: is_static(). Row-major: the last axis is contiguous. Strides count elements.
  std::int64_t element_count() const { return data_->element_count; }
  std::size_t bytes() const { return static_cast<std::size_t>(element_count()) * byte_size(dtype()); }
  std::vector<std::int64_t> sizes() const;
  std::vector<std::int64_t> strides() const;

  Type with_dtype(DType dtype) const { return Type(dtype, dims()); }
  Type with_dims(std::span<const Dim> dims) const { return Type(dtype(), dims); }
  Type substitute(const std::map<std::string, std::int64_t>& symbols) const;
  std::string text() const;  // "f32[n, 128]", "f32[]" for a scalar

  friend bool operator==(Type, Type) = default;
  std::uint64_t hash() const { return data_->hash; }  // by content

 private:
  struct Data {
    DType dtype;
    std::vector<Dim> dims;
    bool is_static;
    std::int64_t element_count;
    std::uint64_t hash;
  };
  friend struct TypeTable;
  const Data* data_ = nullptr;
};

}  // namespace hyperion

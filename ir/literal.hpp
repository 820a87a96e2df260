// literal.hpp: the value of a constant, immutable and content-addressed.
//
// Elements lie dense and row-major. A splat holds one element that stands for all, so a large tensor of zeros costs
// four bytes. Equality is by type and bytes (NaNs with different payloads differ).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "ir/support/hash.hpp"
#include "ir/type.hpp"

namespace hyperion {

class Literal {
 public:
  // REQUIRES: type.is_static(); bytes.size() == type.bytes(). Becomes a splat if all elements are the same bits.
  static std::shared_ptr<const Literal> make(Type type, std::span<const std::byte> bytes);
  // REQUIRES: element.size() == byte_size(type.dtype()). The type may be symbolic.
  static std::shared_ptr<const Literal> splat(Type type, std::span<const std::byte> element);
  // A splat of `value` converted to the type's dtype (as `cast` from f64 or i64 does).
  static std::shared_ptr<const Literal> splat(Type type, double value);
  static std::shared_ptr<const Literal> splat_integer(Type type, std::int64_t value);

  Type type() const { return type_; }
  bool is_splat() const { return is_splat_; }
  std::span<const std::byte> stored_bytes() const { return bytes_; }  // one element if a splat
  std::span<const std::byte> element(std::int64_t index) const;
  std::vector<std::byte> dense_bytes() const;
  Hash128 hash() const { return hash_; }

  // The splat's element as a double (integers beyond 2^53 round). REQUIRES: is_splat().
  double splat_value() const;
  bool is_splat_of(double value) const { return is_splat_ && splat_value() == value; }

  friend bool operator==(const Literal& a, const Literal& b) {
    return a.type_ == b.type_ && a.hash_ == b.hash_;
  }

 private:
  Literal(Type type, std::vector<std::byte> bytes, bool is_splat);
  Type type_;
  std::vector<std::byte> bytes_;
  bool is_splat_;
  Hash128 hash_;
};

using LiteralPtr = std::shared_ptr<const Literal>;

// One element as a double, and back (round to nearest even; integers wrap; NaN to an integer is 0; out of range
// saturates: the semantics of `cast`). `bytes` holds byte_size(dtype) bytes.
double element_to_double(DType dtype, const std::byte* bytes);
void element_from_double(DType dtype, double value, std::byte* bytes);
std::int64_t element_to_integer(DType dtype, const std::byte* bytes);
void element_from_integer(DType dtype, std::int64_t value, std::byte* bytes);

}  // namespace hyperion

// attributes.hpp: the compile-time facts of one op: small named values, sorted by name.
//
// Names and kinds are declared by the op's definition (ir/op_definition.hpp), which also fills in defaults, so an op's
// attributes are always complete. Names point into the definition and live as long as the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ir/dtype.hpp"
#include "ir/literal.hpp"

namespace hyperion::ir {

// A reference to a function of the same module, printed @name.
struct SymbolReference {
  std::string name;
  friend bool operator==(const SymbolReference&, const SymbolReference&) = default;
};

using Integers = std::vector<std::int64_t>;

// Integers may hold symbolic dimensions' raw values only in `shape` attributes, hence the separate Dims kind.
using Dims = std::vector<Dim>;

enum class AttributeKind : std::uint8_t { boolean, integer, real, text, dtype, integers, dims, symbol, literal };

// The alternatives stand in the order of AttributeKind.
using AttributeValue = std::variant<bool, std::int64_t, double, std::string, DType, Integers, Dims,
                                    SymbolReference, LiteralPtr>;

inline AttributeKind kind_of(const AttributeValue& value) {
  return static_cast<AttributeKind>(value.index());
}
bool equal(const AttributeValue& a, const AttributeValue& b);  // literals by content
std::string text(const AttributeValue& value);                 // as in .hir: [1, 2], "nearest", @f, f32
std::uint64_t hash(const AttributeValue& value);

class Attributes {
 public:
  using Entry = std::pair<std::string_view, AttributeValue>;

  Attributes() = default;
  Attributes(std::initializer_list<Entry> entries);

  const AttributeValue* find(std::string_view name) const;
  void set(std::string_view name, AttributeValue value);
  void erase(std::string_view name);

  // REQUIRES: the attribute is present and of that kind, which infer_types() has established.
  bool boolean(std::string_view name) const { return std::get<bool>(get(name)); }
  std::int64_t integer(std::string_view name) const { return std::get<std::int64_t>(get(name)); }
  double real(std::string_view name) const { return std::get<double>(get(name)); }
  const std::string& text(std::string_view name) const { return std::get<std::string>(get(name)); }
  DType dtype(std::string_view name) const { return std::get<DType>(get(name)); }
  const Integers& integers(std::string_view name) const { return std::get<Integers>(get(name)); }
  const Dims& dims(std::string_view name) const { return std::get<Dims>(get(name)); }
  const std::string& symbol(std::string_view name) const {
    return std::get<SymbolReference>(get(name)).name;
  }
  const LiteralPtr& literal(std::string_view name) const { return std::get<LiteralPtr>(get(name)); }

  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  friend bool operator==(const Attributes& a, const Attributes& b);
  std::uint64_t hash() const;

 private:
  const AttributeValue& get(std::string_view name) const;
  std::vector<Entry> entries_;  // sorted by name
};

}  // namespace hyperion::ir

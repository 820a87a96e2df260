// The six monoids of `reduce`, `cumulative` and `scatter`: names, identities, and the op that combines.
#include <limits>

#include "ir/logic/term.hpp"
#include "ir/op_definition.hpp"

namespace hyperion::ir {
namespace {

struct MonoidInfo {
  Monoid monoid;
  std::string_view name;        // as an attribute
  std::string_view combine;     // the elementwise op
};

constexpr MonoidInfo kMonoids[] = {
    {Monoid::sum, "sum", "add"},      {Monoid::product, "prod", "mul"}, {Monoid::maximum, "max", "max"},
    {Monoid::minimum, "min", "min"},  {Monoid::all, "and", "and"},      {Monoid::any, "or", "or"},
};

const MonoidInfo& info(Monoid monoid) { return kMonoids[static_cast<std::size_t>(monoid)]; }

std::uint64_t bits_of(DType dtype, double value) {
  std::uint64_t bits = 0;
  element_from_double(dtype, value, reinterpret_cast<std::byte*>(&bits));
  return bits;
}

// The smallest element (sign = -1) or the largest (+1): infinities where the format has them.
std::uint64_t extreme_bits(DType dtype, int sign) {
  if (dtype == DType::f8e4m3) return bits_of(dtype, sign * 448.0);
  if (is_floating(dtype)) return bits_of(dtype, sign * std::numeric_limits<double>::infinity());
  if (is_boolean(dtype)) return sign > 0 ? 1 : 0;
  const int bits = static_cast<int>(byte_size(dtype)) * 8;
  const std::uint64_t ones = ~std::uint64_t{0} >> (64 - bits);
  if (is_unsigned_integer(dtype)) return sign > 0 ? ones : 0;
  return sign > 0 ? ones >> 1 : (ones >> 1) + 1;
}

}  // namespace

std::string_view monoid_name(Monoid monoid) { return info(monoid).name; }

std::optional<Monoid> parse_monoid(std::string_view name) {
  for (const MonoidInfo& entry : kMonoids) {
    if (entry.name == name) return entry.monoid;
  }
  return std::nullopt;
}

const OpDefinition& combine_op(Monoid monoid) { return op(info(monoid).combine); }

std::uint64_t identity_bits(Monoid monoid, DType dtype) {
  switch (monoid) {
    case Monoid::sum:
    case Monoid::any: return 0;
    case Monoid::product: return bits_of(dtype, 1.0);
    case Monoid::all: {  // every bit set, so that it is the identity of integer `and` as well
      if (is_boolean(dtype)) return 1;
      return ~std::uint64_t{0} >> (64 - 8 * byte_size(dtype));
    }
    case Monoid::maximum: return extreme_bits(dtype, -1);
    case Monoid::minimum: return extreme_bits(dtype, +1);
  }
  return 0;
}

}  // namespace hyperion::ir

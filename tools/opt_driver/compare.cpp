#include "tools/opt_driver/compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ir/support/format.hpp"
#include "ir/text/element_text.hpp"

namespace hyperion::tools {
namespace {

// Half a unit in the last place of a number near one.
double rounding_of(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return 0x1p-10;
    case DType::bf16:
      return 0x1p-7;
    case DType::f8e4m3:
      return 0x1p-3;
    case DType::f8e5m2:
      return 0x1p-2;
    default:
      return 0;
  }
}

std::string index_text(const Type& type, std::int64_t flat) {
  std::vector<std::int64_t> index;
  for (std::int64_t stride : type.strides()) {
    index.push_back(stride == 0 ? 0 : flat / stride);
    if (stride != 0) flat %= stride;
  }
  return format("[{}]", fmt::join(index, ", "));
}

double element_error(DType dtype, const std::byte* a, const std::byte* b) {
  const double x = element_to_double(dtype, a), y = element_to_double(dtype, b);
  if (x == y || (std::isnan(x) && std::isnan(y))) return 0;
  if (!is_floating(dtype)) return INFINITY;
  const double error = std::abs(x - y) / std::max(1.0, std::abs(x));
  return std::isnan(error) ? INFINITY : error;
}

bool both_nan(DType dtype, const std::byte* a, const std::byte* b) {
  return is_floating(dtype) && std::isnan(element_to_double(dtype, a)) &&
         std::isnan(element_to_double(dtype, b));
}

bool is_allowed(DType dtype, double error, passes::Tag sense, double rtol) {
  if (!is_floating(dtype) || sense == passes::Tag::same_bits) return false;
  if (sense == passes::Tag::same_but_sign_of_zero) return error == 0;
  return error <= rtol + rounding_of(dtype);
}

}  // namespace

Difference compare(std::span<const LiteralPtr> before, std::span<const LiteralPtr> after,
                   passes::Tag sense, double rtol) {
  Difference out;
  if (before.size() != after.size())
    return {INFINITY, false, true, "the number of results changed"};
  for (std::size_t k = 0; k < before.size(); ++k) {
    const Type type = before[k]->type();
    if (type != after[k]->type()) {
      return {INFINITY, false, true,
              format("result {} was {} and became {}", k, type.text(), after[k]->type().text())};
    }
    for (std::int64_t i = 0; i < type.element_count(); ++i) {
      const auto a = before[k]->element(i), b = after[k]->element(i);
      if (std::memcmp(a.data(), b.data(), a.size()) == 0 ||
          both_nan(type.dtype(), a.data(), b.data()))
        continue;
      const double error = element_error(type.dtype(), a.data(), b.data());
      const bool is_new = out.same_bits || error > out.error;
      out.same_bits = false;
      out.differs |= !is_allowed(type.dtype(), error, sense, rtol);
      if (!is_new) continue;
      out.error = error;
      out.where = format("element {} of result {} was {} and became {}", index_text(type, i), k,
                         ir::element_text(type.dtype(), a.data()),
                         ir::element_text(type.dtype(), b.data()));
    }
  }
  return out;
}

}  // namespace hyperion::tools

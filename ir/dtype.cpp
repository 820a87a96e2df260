#include "ir/dtype.hpp"

#include <array>

namespace hyperion {
namespace {

struct Info {
  std::string_view name;
  std::size_t bits;
  DTypeKind kind;
};

constexpr Info kInfos[] = {
#define HYP_DTYPE(name, bits, kind) {#name, bits, DTypeKind::kind},
#include "ir/dtypes.def"
#undef HYP_DTYPE
};

constexpr std::array kAll = {
#define HYP_DTYPE(name, bits, kind) DType::name,
#include "ir/dtypes.def"
#undef HYP_DTYPE
};

const Info& info(DType dtype) { return kInfos[static_cast<std::size_t>(dtype)]; }

}  // namespace

DTypeKind kind_of(DType dtype) { return info(dtype).kind; }
std::size_t byte_size(DType dtype) { return info(dtype).bits / 8; }

std::string_view dtype_name(DType dtype) {
  return dtype == DType::bool_ ? "bool" : info(dtype).name;  // `bool` is a C++ keyword, hence bool_
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (DType dtype : kAll) {
    if (dtype_name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

std::span<const DType> all_dtypes() { return kAll; }

DType accumulation_dtype(DType dtype) {
  return is_floating(dtype) && byte_size(dtype) < 4 ? DType::f32 : dtype;
}

}  // namespace hyperion

// kernel_attributes.hpp: attributes that kernel-level ops must be given.
#pragma once

#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

inline AttributeSpec required_list(std::string_view name, std::string_view doc) {
  return {name, AttributeKind::integers, doc, std::nullopt};
}
inline AttributeSpec required_number(std::string_view name, std::string_view doc) {
  return {name, AttributeKind::integer, doc, std::nullopt};
}

}  // namespace hyperion::ir::ops

// extreme.hpp: what min and max have in common: all but their name and the side they take.
#pragma once

#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

// `direction` holds between a chosen left operand and the right one: "lt" for the minimum.
OpDefinition extreme_op(std::string_view name, std::string_view doc, Primitive primitive, std::string_view direction,
                        std::string_view example);

}  // namespace hyperion::ir::ops

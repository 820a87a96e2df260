// lower_anchor.hpp: groups around an op whose plain definition would be a slow program.
//
// Each returns nothing if the group has no such anchor, or one of a shape that only the general lowering handles.
#pragma once

#include <optional>

#include "codegen/lower/lower.hpp"

namespace hyperion::codegen {

std::optional<Lowered> lower_contraction(const ir::Function& group, const LoweringTarget& target);  // dot
std::optional<Lowered> lower_convolution(const ir::Function& group, const LoweringTarget& target);  // conv and gradients
std::optional<Lowered> lower_cumulative(const ir::Function& group, const LoweringTarget& target);
std::optional<Lowered> lower_sort(const ir::Function& group, const LoweringTarget& target);  // arg_sort
std::optional<Lowered> lower_scatter(const ir::Function& group, const LoweringTarget& target);

}  // namespace hyperion::codegen

// lower_anchor.hpp: groups around an op whose plain definition would be a slow program: contraction, scatter, cumulative.
#pragma once

#include <optional>

#include "codegen/lower/lower.hpp"

namespace hyperion::codegen {

// Nothing if the group has no such anchor, or one of a shape that only the general lowering handles.
std::optional<Lowered> lower_anchor(const ir::Function& group, const LoweringTarget& target);

}  // namespace hyperion::codegen

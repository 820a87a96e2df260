// pooling.hpp: what max_pool and avg_pool share: windows over the spatial axes of a batch of images.
#pragma once

#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

std::vector<AttributeSpec> pooling_attributes();
std::vector<ConstraintSpec> pooling_constraints();
InferResult infer_pooling(const InferContext& c);
// x padded with `value` and seen through the windows: the spatial axes count windows, the last ones count within them.
Value pooled_windows(Value x, Value value, const Attributes& attributes);
// The axes of pooled_windows that count within windows.
Integers window_axes(Value windows, const Attributes& attributes);

}  // namespace hyperion::ir::ops

// pooling.hpp: what max_pool and avg_pool share: windows over the spatial axes of a batch of images.
#pragma once

#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

std::vector<AttributeSpec> pooling_attributes();
std::vector<ConstraintSpec> pooling_constraints();
InferResult infer_pooling(const InferContext& c);
// Each window of x, padded with `padding`, combined in row-major order.
Value reduce_windows(Value x, Value padding, Monoid monoid, const Attributes& attributes);

}  // namespace hyperion::ir::ops

// scatter_for_teams.hpp: scatter as one `scatter_lines`, for a machine whose threads share out lines and find their updates.
#pragma once

#include <optional>

#include "codegen/lower/slab_kernel.hpp"

namespace hyperion::codegen {

// REQUIRES: `op` is the group's lone scatter (lone_op), with updates. Nothing where numbers would not fit into 32 bits:
// then each element asks all updates, as the definition does.
std::optional<Lowered> scatter_for_teams(const ir::Function& group, const ir::Op& op, const SlabShape& shape);

}  // namespace hyperion::codegen

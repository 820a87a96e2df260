// lower_for_teams.hpp: maps and row reductions for a machine whose vectors are shared out to teams of threads.
//
// Three shapes of tile:
//   flat    all axes are one; a tile is one long vector of neighbouring elements
//   piece   the last axis is long and others are broadcast along it: a tile is a piece of a row
//   row     sums or extremes over a row: a tile is a row, held whole in registers where it fits, so that softmax reads
//           its input once; longer rows are walked
#pragma once

#include "codegen/lower/lower.hpp"

namespace hyperion::codegen {

Lowered lower_for_teams(const ir::Function& group, const LoweringTarget& target);

}  // namespace hyperion::codegen

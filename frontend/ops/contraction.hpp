// contraction.hpp: the dot op with its axes ready. Internal to this folder.
#pragma once

#include "frontend/ops/recording.hpp"

namespace hyperion::frontend {

struct DotAxes {
  ir::Integers lhs_batch, rhs_batch, lhs_contract, rhs_contract;
};
Tensor contract(const Tensor& lhs, const Tensor& rhs, DotAxes axes, Location where);

}  // namespace hyperion::frontend

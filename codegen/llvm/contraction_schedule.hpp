// contraction_schedule.hpp: the part of the cost model that matrix products and convolutions share. Internal to codegen/llvm.
#pragma once

#include "codegen/llvm/contraction.hpp"

namespace hyperion::codegen {

// Accumulators of the micro-kernel: rows x vectors.
struct RegisterTile {
  int rows = 1, vectors = 1;
};

RegisterTile choose_register_tile(std::int64_t rows, std::int64_t columns, const CpuTarget& target,
                                  int lanes);

}  // namespace hyperion::codegen

// contraction_schedule.hpp: the arithmetic and the part of the cost model that matrix products and
// convolutions share. Internal to codegen/llvm.
#pragma once

#include "codegen/llvm/contraction.hpp"

namespace hyperion::codegen {

inline std::int64_t round_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }
inline std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }
inline std::int64_t storage_bytes(DType dtype) {
  return static_cast<std::int64_t>(byte_size(dtype));
}

// Accumulators of the micro-kernel: rows x vectors.
struct RegisterTile {
  int rows = 1, vectors = 1;
};

RegisterTile choose_register_tile(std::int64_t rows, std::int64_t columns, const CpuTarget& target,
                                  int lanes);

}  // namespace hyperion::codegen

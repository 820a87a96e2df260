// threefry.hpp: Threefry-2x32 with 20 rounds, as a term.
//
// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011): a bijection of 64-bit blocks
// under a 64-bit key, whose outputs on counters 0, 1, 2, ... pass all known tests. All arithmetic is u32 and wraps.
#pragma once

#include <utility>

#include "ir/logic/scalar.hpp"

namespace hyperion::ir::ops {

// The two output words for key (k0, k1) and counter (c0, c1); all are u32.
std::pair<Scalar, Scalar> threefry2x32(Scalar k0, Scalar k1, Scalar c0, Scalar c1);

}  // namespace hyperion::ir::ops

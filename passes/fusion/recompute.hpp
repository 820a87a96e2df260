// recompute.hpp: which values of one group another computes again instead of reading them. Internal to passes/fusion.
//
// The gradient of cross entropy wants exp(x - max of the row), which the loss's kernel had in registers. To write those
// numbers to memory and to read them again moves four times as many bytes as to read x, which is there anyway, and the
// row's maximum.
#pragma once

#include "passes/fusion/contents.hpp"

namespace hyperion::passes {

// REQUIRES: all types static. Bits stay the same: the same ops on the same numbers.
void recompute_cheap_values(const ir::Function& f, const FuseOptions& options, GroupContents& contents);

}  // namespace hyperion::passes

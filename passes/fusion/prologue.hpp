// prologue.hpp: which maps are computed while a contraction packs what it multiplies. Internal to passes/fusion.
#pragma once

#include <span>

#include "ir/module.hpp"

namespace hyperion::passes {

// Whether it pays to compute `operand` of `contraction` there, instead of writing it to memory first. `map` are the
// elementwise ops that compute it.
// REQUIRES: nothing but the contraction wants what they compute.
bool pays_as_prologue(const ir::Function& f, const ir::Op& contraction, ir::ValueId operand,
                      std::span<const ir::OpId> map);

}  // namespace hyperion::passes

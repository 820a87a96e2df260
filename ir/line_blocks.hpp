// line_blocks.hpp: the blocks of kernel ops that work on whole lines of a tensor, by what they are for.
#pragma once

#include <string>

#include "ir/module.hpp"

namespace hyperion::ir {

// Of `scatter_lines`; ir/ops/scatter_lines.cpp says what each is given.
struct ScatterBlocks {
  BlockId index, element, update;
};

// REQUIRES: the op has as many blocks as its kind asks for.
ScatterBlocks scatter_blocks(const Op& op);

// What is wrong with the blocks of such an op; empty: nothing.
std::string defect_of_line_blocks(const Function& kernel, const Op& op);

}  // namespace hyperion::ir

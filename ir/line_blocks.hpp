// line_blocks.hpp: the blocks of the kernel ops `scatter_lines` and `sort_lines`, by what they are for. The files of the
// ops say what each is given.
#pragma once

#include <string>

#include "ir/module.hpp"

namespace hyperion::ir {

// Of `scatter_lines`.
struct ScatterBlocks {
  BlockId index, element, update, combine;
};

// REQUIRES, of these two: the op has as many blocks as its kind asks for.
ScatterBlocks scatter_blocks(const Op& op);

// Of `sort_lines`: the elements that are put in order.
BlockId sort_block(const Op& op);

// What is wrong with the blocks of such an op; empty: nothing.
std::string defect_of_line_blocks(const Function& kernel, const Op& op);

}  // namespace hyperion::ir

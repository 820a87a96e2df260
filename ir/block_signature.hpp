// block_signature.hpp: what blocks of kernel ops take and yield.
#pragma once

#include <span>

#include "ir/module.hpp"

namespace hyperion::ir {

// The type of the one value that a block ends with; of no type if it ends otherwise.
Type yielded_type(const Function& kernel, BlockId block);

bool block_takes(const Function& kernel, BlockId block, std::span<const Type> types);

}  // namespace hyperion::ir

// contraction_blocks.hpp: the blocks of the kernel ops `contract` and `convolve`, by what they are for.
//
// In the order of the text: the map of lhs if there is one (attribute `lhs_map`), the map of rhs (`rhs_map`), and the
// epilogue unless a third operand takes the sums. ir/ops/contract.cpp says what each is given.
#pragma once

#include <optional>
#include <string>

#include "ir/module.hpp"

namespace hyperion::ir {

struct ContractionBlocks {
  std::optional<BlockId> lhs_map, rhs_map, epilogue;
};

// REQUIRES: the op is `contract` or `convolve`, with as many blocks as its attributes and operands ask for.
ContractionBlocks contraction_blocks(const Op& op);

// The type that sums are carried in: what a map yields, or the wide type of an operand that is read as it lies.
DType contraction_sum_dtype(const Function& kernel, const Op& op);

// What is wrong with the blocks of a contraction; empty: nothing.
std::string defect_of_contraction_blocks(const Function& kernel, const Op& op);

}  // namespace hyperion::ir

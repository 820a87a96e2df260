// anchored_kernel.hpp: what contractions and convolutions have in common when they become kernels: parameters, the maps
// that stand for their operands, and the epilogue that turns vectors of sums into the group's results.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "codegen/lower/compose.hpp"
#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower.hpp"

namespace hyperion::codegen {

// How a block is told where it stands: by three numbers below `extents`, from which the indices of a tensor follow.
struct BlockIndices {
  std::array<std::int64_t, 3> extents = {1, 1, 1};
  std::function<std::vector<ir::TermId>(ir::TermPool&, const std::array<ir::TermId, 3>&)> indices;
};

// An operand that the group computes, and what its block is told: of lhs batch, row and depth, of rhs batch, depth and
// column. Lanes run along number `lanes_along`.
struct FactorPlan {
  BlockIndices place;
  std::size_t lanes_along = 2;
};

// The anchor of a group, how its result is iterated (by batch, row and column) and how its operands are.
struct AnchorPlan {
  const ir::Function& group;
  const ir::Op& anchor;
  int lanes = 16;
  BlockIndices result;
  std::array<FactorPlan, 2> factors;
};

// Starts the kernel: one parameter per input and result, sizes in `bytes`.
Lowered begin_anchored_kernel(const ir::Function& group);

// Writes `op` (contract or convolve) with its blocks and ends the kernel.
void write_anchored_kernel(Lowered& out, const AnchorPlan& plan, std::string_view op, ir::Attributes attributes);

// Whether the micro-kernels compute with this element type. Integer sums are exact in any order, and the general loops
// vectorize them over columns.
bool has_packed_kernel(DType dtype);

// The indices of the element at linear offset `position` of a dense tensor.
std::vector<ir::TermId> indices_at(ir::TermPool& pool, ir::TermId position, Type type);

// The element of a lambda, with its own indices replaced.
ir::TermId element_at(ir::TermPool& pool, const ir::Lambda& lambda, const std::vector<ir::TermId>& indices);

}  // namespace hyperion::codegen

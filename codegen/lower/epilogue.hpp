// epilogue.hpp: what contractions and convolutions have in common when they become kernels: parameters, and the body
// that turns vectors of sums into the group's results.
#pragma once

#include <vector>

#include "codegen/lower/compose.hpp"
#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower.hpp"

namespace hyperion::codegen {

// The anchor of a group and how its result is iterated.
struct EpiloguePlan {
  const ir::Function& group;
  const ir::Op& anchor;
  int lanes = 16;
  // Extents of what the body is told: batch, row, column.
  std::int64_t batch_size = 1, row_size = 1, column_size = 1;
  // Each of the result's indices, from the body's.
  std::function<std::vector<ir::TermId>(ir::TermPool&, ir::TermId batch, ir::TermId row, ir::TermId column)> indices;
};

// Starts the kernel: one parameter per input and result, sizes in `bytes`.
Lowered begin_anchored_kernel(const ir::Function& group);

// Writes `op` (contract or convolve) with its epilogue and ends the kernel.
void write_anchored_kernel(Lowered& out, const EpiloguePlan& plan, std::string_view op, ir::Attributes attributes);

// Sums in one vector of a body: as many as fill one of the target's.
int epilogue_lanes(DType sum, const LoweringTarget& target);

// Whether the micro-kernels compute with this element type. Integer sums are exact in any order, and the general loops
// vectorize them over columns.
bool has_packed_kernel(DType dtype);

}  // namespace hyperion::codegen

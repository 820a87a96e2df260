#include "passes/layout/dot_operand.hpp"

#include <algorithm>

namespace hyperion::passes {

ir::Value depth_last(ir::Builder& b, ir::Value x, const std::string& side, ir::Attributes& attributes) {
  const ir::Integers contract = attributes.integers(side + "_contract"), batch = attributes.integers(side + "_batch");
  const std::int64_t last = x.rank() - 1;
  if (contract.size() != 1 || contract[0] == last) return x;
  ir::Integers permutation;
  for (std::int64_t axis = 0; axis <= last; ++axis) {
    if (axis != contract[0]) permutation.push_back(axis);
  }
  permutation.push_back(contract[0]);
  ir::Integers batches;
  for (std::int64_t axis : batch) batches.push_back(std::ranges::find(permutation, axis) - permutation.begin());
  attributes.set(side + "_contract", ir::Integers{last});
  attributes.set(side + "_batch", batches);
  return b.apply("barrier", {b.transpose(x, permutation)});
}

}  // namespace hyperion::passes

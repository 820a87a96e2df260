#include "ir/line_blocks.hpp"

#include <array>

#include "ir/block_signature.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir {

ScatterBlocks scatter_blocks(const Op& op) { return {op.blocks.at(0), op.blocks.at(1), op.blocks.at(2)}; }

std::string defect_of_line_blocks(const Function& kernel, const Op& op) {
  constexpr std::size_t kBlocks = 3;
  if (op.blocks.size() != kBlocks) return format("has {} blocks, not {}", op.blocks.size(), kBlocks);
  const Type index = Type::scalar(DType::i64);
  const Type vector(kernel.type(op.operands[0]).dtype(), {Dim(op.attributes.integer("lanes"))});
  const ScatterBlocks blocks = scatter_blocks(op);
  if (!block_takes(kernel, blocks.index, std::array{index, index}) || yielded_type(kernel, blocks.index) != index)
    return "the block of indices takes two indices, i64[], and yields one";
  if (!block_takes(kernel, blocks.element, std::array{index, index, index}) ||
      yielded_type(kernel, blocks.element) != vector)
    return format("the block of elements takes three indices, i64[], and yields {}", vector.text());
  if (!block_takes(kernel, blocks.update, std::array{index, index, index, vector}) ||
      yielded_type(kernel, blocks.update) != vector)
    return format("the block of updates takes three indices, i64[], and {}, and yields such", vector.text());
  return {};
}

}  // namespace hyperion::ir

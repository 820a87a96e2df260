#include "ir/line_blocks.hpp"

#include <array>

#include "ir/block_signature.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir {

ScatterBlocks scatter_blocks(const Op& op) {
  return {op.blocks.at(0), op.blocks.at(1), op.blocks.at(2), op.blocks.at(3)};
}

BlockId sort_block(const Op& op) { return op.blocks.at(0); }

std::string defect_of_line_blocks(const Function& kernel, const Op& op) {
  const bool is_sort = op.is("sort_lines");
  const std::size_t wanted = is_sort ? 1 : 4;
  if (op.blocks.size() != wanted) return format("has {} blocks, not {}", op.blocks.size(), wanted);
  const Type index = Type::scalar(DType::i64);
  if (is_sort) {
    const Type element = yielded_type(kernel, sort_block(op));
    const bool is_element = element.valid() && element.rank() == 0 && !is_complex(element.dtype());
    if (!block_takes(kernel, sort_block(op), std::array{index, index, index}) || !is_element)
      return "the block of elements takes three indices, i64[], and yields a scalar that has an order";
    return {};
  }
  const Type vector(kernel.type(op.operands[0]).dtype(), {Dim(op.attributes.integer("lanes"))});
  const ScatterBlocks blocks = scatter_blocks(op);
  if (!block_takes(kernel, blocks.index, std::array{index, index}) || yielded_type(kernel, blocks.index) != index)
    return "the block of indices takes two indices, i64[], and yields one";
  for (const BlockId block : {blocks.element, blocks.update}) {
    if (!block_takes(kernel, block, std::array{index, index, index}) || yielded_type(kernel, block) != vector)
      return format("the blocks of elements and updates take three indices, i64[], and yield {}", vector.text());
  }
  if (!block_takes(kernel, blocks.combine, std::array{vector, vector}) ||
      yielded_type(kernel, blocks.combine) != vector)
    return format("the block that combines takes two vectors, {}, and yields one", vector.text());
  return {};
}

}  // namespace hyperion::ir

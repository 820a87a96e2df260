#include "ir/contraction_blocks.hpp"

#include <array>

#include "ir/block_signature.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir {
namespace {

constexpr std::size_t kFactors = 2;

bool has_map(const Op& op, std::string_view attribute) { return !op.attributes.text(attribute).empty(); }

}  // namespace

ContractionBlocks contraction_blocks(const Op& op) {
  ContractionBlocks out;
  std::size_t next = 0;
  if (has_map(op, "lhs_map")) out.lhs_map = op.blocks.at(next++);
  if (has_map(op, "rhs_map")) out.rhs_map = op.blocks.at(next++);
  if (op.operands.size() == kFactors) out.epilogue = op.blocks.at(next++);
  return out;
}

DType contraction_sum_dtype(const Function& kernel, const Op& op) {
  if (!has_map(op, "lhs_map")) return accumulation_dtype(kernel.type(op.operands[0]).dtype());
  if (!has_map(op, "rhs_map")) return accumulation_dtype(kernel.type(op.operands[1]).dtype());
  const Type type = yielded_type(kernel, op.blocks.at(0));
  return type == Type() ? DType::f32 : type.dtype();
}

std::string defect_of_contraction_blocks(const Function& kernel, const Op& op) {
  const std::size_t maps = std::size_t{has_map(op, "lhs_map")} + std::size_t{has_map(op, "rhs_map")};
  const std::size_t wanted = maps + (op.operands.size() == kFactors ? 1 : 0);
  if (op.blocks.size() != wanted) {
    return format("has {} blocks, its maps and operands ask for {}", op.blocks.size(), wanted);
  }
  const Type index = Type::scalar(DType::i64);
  const Type vector(contraction_sum_dtype(kernel, op), {Dim(op.attributes.integer("lanes"))});
  const ContractionBlocks blocks = contraction_blocks(op);
  for (const auto& map : {blocks.lhs_map, blocks.rhs_map}) {
    if (!map) continue;
    if (!block_takes(kernel, *map, std::array{index, index, index})) return "a map takes three indices: i64[]";
    if (yielded_type(kernel, *map) != vector) return format("a map yields {}", vector.text());
  }
  if (blocks.epilogue && !block_takes(kernel, *blocks.epilogue, std::array{vector, index, index, index})) {
    return format("the epilogue takes sums, {}, and three indices, i64[]", vector.text());
  }
  return {};
}

}  // namespace hyperion::ir

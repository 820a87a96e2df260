// depth_innermost: operands of products of f32 are transposed so that what is summed over lies together in memory.
//
// The tensor cores read 16-bit elements either way, 32-bit ones along depth only (PTX ISA, wgmma: tnspA, tnspB). A
// transposition moves each element once; the product reads it many times.
#include <algorithm>

#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

using ir::Integers;
using ir::Value;

// The operand with its contracted axis last, and the attributes that say so.
Value turned(ir::Builder& b, Value x, const std::string& side, ir::Attributes& attributes) {
  const Integers contract = attributes.integers(side + "_contract"), batch = attributes.integers(side + "_batch");
  const std::int64_t last = x.type().rank() - 1;
  if (contract.size() != 1 || contract[0] == last) return x;
  Integers permutation;
  for (std::int64_t axis = 0; axis <= last; ++axis) {
    if (axis != contract[0]) permutation.push_back(axis);
  }
  permutation.push_back(contract[0]);
  Integers batches;
  for (std::int64_t axis : batch) batches.push_back(std::ranges::find(permutation, axis) - permutation.begin());
  attributes.set(side + "_contract", Integers{last});
  attributes.set(side + "_batch", batches);
  // Behind the barrier it is a tensor of its own: in the product it would be a view, read as it lay.
  return b.apply("barrier", {b.transpose(x, permutation)});
}

void turn(Rewriter& rewriter, ir::OpId id) {
  const ir::Op op = rewriter.function().op(id);
  if (!op.is("dot") || rewriter.function().type(op.operands[0]).dtype() != DType::f32) return;
  ir::Attributes attributes = op.attributes;
  ir::Builder b = rewriter.before(id);
  const Value x = b.wrap(op.operands[0]), y = b.wrap(op.operands[1]);
  const Value lhs = turned(b, x, "lhs", attributes), rhs = turned(b, y, "rhs", attributes);
  if (lhs.id == x.id && rhs.id == y.id) return;
  rewriter.replace(id, {b.apply("dot", {lhs, rhs}, attributes).id}, "turn");
}

}  // namespace

PassDefinition pass_depth_innermost() {
  return {.name = "depth_innermost",
          .doc = "Transposes operands of f32 products so that depth lies together.",
          .run = [](ir::Module& module, const ir::Attributes&, PassContext& context) -> Result<Changed> {
            return rewrite_each_op(module, context, turn);
          }};
}

}  // namespace hyperion::passes

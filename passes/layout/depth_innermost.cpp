// depth_innermost: operands of products of f32 are transposed so that what is summed over lies together in memory.
//
// The tensor cores read 16-bit elements either way, 32-bit ones along depth only (PTX ISA, wgmma: tnspA, tnspB). A
// transposition moves each element once; the product reads it many times.
#include "passes/layout/dot_operand.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

using ir::Value;

void turn(Rewriter& rewriter, ir::OpId id) {
  const ir::Op op = rewriter.function().op(id);
  if (!op.is("dot") || rewriter.function().type(op.operands[0]).dtype() != DType::f32) return;
  ir::Attributes attributes = op.attributes;
  ir::Builder b = rewriter.before(id);
  const Value x = b.wrap(op.operands[0]), y = b.wrap(op.operands[1]);
  const Value lhs = depth_last(b, x, "lhs", attributes), rhs = depth_last(b, y, "rhs", attributes);
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

// weights_innermost: convolutions take weights as [O, kernel..., I], where they come like that.
//
// The layout pass turns what is recorded into channels_last, with weights [kernel..., I, O]. Whoever keeps them with output
// channels outside, as libraries for GPUs do, then pays for a transposition. The tensor cores read 16-bit weights either
// way; those of 32 bits with what is summed over innermost only, so they are transposed if they lie otherwise.
#include <algorithm>

#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

using ir::Integers;
using ir::Value;

// From [kernel..., I, O] to [O, kernel..., I].
Integers to_innermost(std::int64_t rank) {
  Integers permutation{rank - 1};
  for (std::int64_t axis = 0; axis < rank - 1; ++axis) permutation.push_back(axis);
  return permutation;
}

// `inner` first, then `outer`.
Integers composed(const Integers& inner, const Integers& outer) {
  Integers out;
  for (const std::int64_t axis : outer) out.push_back(inner[static_cast<std::size_t>(axis)]);
  return out;
}

void turn_weights(Rewriter& rewriter, ir::OpId id, bool rounds) {
  const ir::Function& f = rewriter.function();
  const ir::Op op = f.op(id);
  const bool is_gradient = op.is("conv_input_gradient");
  if ((!op.is("conv") && !is_gradient) || op.attributes.text("layout") != "channels_last") return;
  const Type type = f.type(op.operands[1]);
  ir::Builder b = rewriter.before(id);
  Value weights = b.wrap(op.operands[1]);
  Integers permutation = to_innermost(type.rank());
  const ir::Op* const producer = f.producer(op.operands[1]);
  if (producer != nullptr && producer->is("transpose")) {
    permutation = composed(producer->attributes.integers("permutation"), permutation);
    weights = b.wrap(producer->operands[0]);
  }
  const bool comes_so = std::ranges::is_sorted(permutation);
  const bool is_16_bit = type.dtype() == DType::bf16 || type.dtype() == DType::f16;
  // A gradient sums over output channels, which lie together as it is.
  const bool is_wanted = type.dtype() == DType::f32 && rounds && !is_gradient;
  if (!is_wanted && !(is_16_bit && comes_so)) return;
  ir::Attributes attributes = op.attributes;
  attributes.set("layout", std::string("channels_innermost"));
  if (!comes_so) weights = b.transpose(weights, permutation);
  rewriter.replace(id, {b.apply(op.name(), {b.wrap(op.operands[0]), weights}, attributes).id}, "turn");
}

}  // namespace

PassDefinition pass_weights_innermost() {
  return {.name = "weights_innermost",
          .doc = "Leaves the weights of convolutions with output channels outside.",
          .options = {{"rounds", ir::AttributeKind::boolean, "f32 factors go to the tensor cores as well", false}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const bool rounds = options.boolean("rounds");
            return rewrite_each_op(module, context,
                                   [&](Rewriter& rewriter, ir::OpId id) { turn_weights(rewriter, id, rounds); });
          }};
}

}  // namespace hyperion::passes

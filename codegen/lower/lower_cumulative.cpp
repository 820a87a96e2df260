// cumulative as one pass along its axis, carrying what has been combined so far.
//
// Its definition, which asks every element for all before it, would take quadratic time. The order of combining is that
// of the definition: from the first element (from the last if reversed), starting with the identity.
#include "codegen/lower/lower_anchor.hpp"
#include "codegen/lower/slab_kernel.hpp"

namespace hyperion::codegen {

using ir::TermId;
using ir::Value;

std::optional<Lowered> lower_cumulative(const ir::Function& group, const LoweringTarget& target) {
  // One walk along the axis is little work but few threads: teams rather compute each element by its definition.
  if (target.has_teams) return std::nullopt;
  const ir::Op* const op = lone_op(group, "cumulative");
  if (op == nullptr) return std::nullopt;
  const Type type = group.type(op->results[0]);
  const SlabShape shape = SlabShape::of(type, op->attributes.integer("axis"));
  const ir::Monoid kind = *ir::parse_monoid(op->attributes.text("kind"));
  const DType carried = accumulation_dtype(type.dtype());
  Lowered out = begin_anchored_kernel(group);
  out.flops = static_cast<std::uint64_t>(type.element_count());
  SlabWriter slabs(out, group, *op, shape, target);
  slabs.write([&] {
    ir::TermPool& pool = slabs.pool();
    const ir::VariableId step = slabs.variable(shape.length);
    const TermId last = pool.index(Dim(shape.length - 1));
    const TermId at = op->attributes.boolean("reverse") ? pool.subtract(last, pool.index(step)) : pool.index(step);
    const TermId line = pool.add(pool.scale(slabs.outer(), shape.length), at);
    const TermId element = slabs.operand(0, slabs.inner_of(line));
    const TermId nothing = pool.literal_bits(carried, ir::identity_bits(kind, carried));
    const Value identity = slabs.splat(slabs.writer().element(nothing));
    const Value begin = slabs.writer().constant_index(0), end = slabs.writer().constant_index(shape.length);
    slabs.loop(step, begin, end, {&identity, 1}, [&](std::span<const Value> state) -> std::vector<Value> {
      ir::Builder& b = slabs.builder();
      const Value read = slabs.splat(b.cast(slabs.writer().element(element), carried));
      const Value combined = b.apply(ir::combine_op(kind).name, {state[0], read});
      slabs.store(b.cast(op->attributes.boolean("exclusive") ? state[0] : combined, type.dtype()), line);
      return {combined};
    });
  });
  return out;
}

}  // namespace hyperion::codegen

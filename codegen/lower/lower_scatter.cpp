// scatter as two passes: what is updated is copied, then updates are combined into it one after another.
//
// Its definition, which asks every element for all updates, would take quadratic time. Here each slab (slab_kernel.hpp)
// walks all positions of the indices in their order, so duplicates combine in the order of the definition, and slabs
// share no element. Teams of threads have a form of their own (scatter_for_teams.hpp).
#include "codegen/lower/lower_anchor.hpp"
#include "codegen/lower/scatter_for_teams.hpp"
#include "codegen/lower/slab_kernel.hpp"
#include "ir/ops/indexed.hpp"

namespace hyperion::codegen {
namespace {

using ir::TermId;
using ir::Value;

class ScatterWriter {
 public:
  ScatterWriter(SlabWriter& slabs, const ir::Function& group, const ir::Op& op, const SlabShape& shape)
      : slabs_(slabs), pool_(slabs.pool()), kind_(op.attributes.text("kind")), shape_(shape) {
    const Type x = group.type(op.operands[0]), indices = group.type(op.operands[1]);
    const ir::ops::IndexedAxes axes(op.attributes, indices);
    for (int axis = axes.batch; axis < indices.rank(); ++axis) positions_ *= indices.dim(axis).value();
    for (int axis = axes.batch; axis < axes.axis; ++axis) before_ *= x.dim(axis).value();
  }

  void write_slab() {
    copy();
    update();
  }

 private:
  Value number(std::int64_t value) { return slabs_.writer().constant_index(value); }
  TermId line(TermId row) { return pool_.add(pool_.scale(slabs_.outer(), shape_.length), row); }

  void copy() {
    const ir::VariableId row = slabs_.variable(shape_.length);
    const TermId at = line(pool_.index(row));
    const TermId element = slabs_.operand(0, slabs_.inner_of(at));
    slabs_.loop(row, number(0), number(shape_.length), {}, [&](std::span<const Value>) -> std::vector<Value> {
      slabs_.store(slabs_.writer().element(element), at);
      return {};
    });
  }

  void update() {
    const ir::VariableId position = slabs_.variable(positions_), row = slabs_.variable(shape_.length);
    // Outer indices are the batch, then what stands before the axis.
    const TermId batch = pool_.divide(slabs_.outer(), before_);
    const TermId chosen = slabs_.operand(1, pool_.add(pool_.scale(batch, positions_), pool_.index(position)));
    const TermId from = pool_.add(pool_.scale(slabs_.outer(), positions_), pool_.index(position));
    const TermId element = slabs_.operand(2, slabs_.inner_of(from));
    const TermId to = line(pool_.index(row));
    slabs_.loop(position, number(0), number(positions_), {}, [&](std::span<const Value>) -> std::vector<Value> {
      ir::Builder& b = slabs_.builder();
      // A loop over the row alone if it exists, and over nothing if it does not.
      const Value index = b.cast(slabs_.writer().element(chosen), DType::i64);
      const Value begin = b.apply("max", {index, number(0)});
      const Value end = b.apply("min", {b.apply("add", {index, number(1)}), number(shape_.length)});
      slabs_.loop(row, begin, end, {}, [&](std::span<const Value>) -> std::vector<Value> {
        slabs_.store(combined(slabs_.splat(slabs_.writer().element(element)), to), to);
        return {};
      });
      return {};
    });
  }

  Value combined(Value updated, TermId to) {
    if (kind_ == "set") return updated;
    return slabs_.builder().apply(kind_, {slabs_.load(to), updated});  // kinds are called as the ops that combine
  }

  SlabWriter& slabs_;
  ir::TermPool& pool_;
  const std::string& kind_;
  SlabShape shape_;
  std::int64_t positions_ = 1;  // of indices, in one batch
  std::int64_t before_ = 1;
};

}  // namespace

std::optional<Lowered> lower_scatter(const ir::Function& group, const LoweringTarget& target) {
  const ir::Op* const op = lone_op(group, "scatter");
  // Without updates there is nothing to read where an index is known.
  if (op == nullptr || group.type(op->operands[2]).element_count() == 0) return std::nullopt;
  const SlabShape shape = SlabShape::of(group.type(op->results[0]), op->attributes.integer("axis"));
  if (target.has_teams) return scatter_for_teams(group, *op, shape);
  Lowered out = begin_anchored_kernel(group);
  out.flops = static_cast<std::uint64_t>(group.type(op->operands[2]).element_count());
  SlabWriter slabs(out, group, *op, shape, target);
  ScatterWriter scatter(slabs, group, *op, shape);
  slabs.write([&] { scatter.write_slab(); });
  return out;
}

}  // namespace hyperion::codegen

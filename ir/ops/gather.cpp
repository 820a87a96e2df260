// gather.cpp: slices of a tensor, chosen by indices along one axis.
//
//   out[b..., before..., i..., after...] = x[b..., before..., indices[b..., i...], after...]
//
// b are the first `batch` axes, common to x and indices; before and after are x's other axes around `axis`. An index out
// of range is clamped to the nearest valid one, on every device, so that a gather never reads outside its operand.
// batch = 0 is NumPy's take; with all axes but the last as batch it is take_along_axis.
#include "ir/ops/indexed.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_gather(const InferContext& c) {
  HYP_TRY(const Type slices, infer_slices(c, c.operands[0], c.operands[1]));
  const int axis = static_cast<int>(c.attributes.integer("axis"));
  if (c.operands[0].dim(axis) == Dim(0)) {
    return c.fail("c5", format("axis {} of {} is empty: there is no valid index", axis, c.operands[0].text()), {0});
  }
  return std::vector{slices};
}

std::vector<Lambda> define_gather(const DefineContext& c) {
  TermPool& pool = c.pool;
  const IndexedAxes axes(c.attributes, c.operands[1]);
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> slice = index_terms(pool, variables);
  const TermId last = pool.index(c.operands[0].dim(axes.axis) - Dim(1));
  const TermId chosen = clamped_index(pool, c.access(1, axes.of_index(slice)), last);
  return {{variables, c.access(0, axes.of_x(slice, chosen))}};
}

// Each cotangent goes back to the element it was read from; clamped reads went to the edge.
std::vector<Value> transpose_gather(TransposeContext& c) {
  Builder& b = c.builder;
  const std::int64_t last = c.type(0).dim(static_cast<int>(c.attributes.integer("axis"))).value() - 1;
  const Value indices = clamp_indices(c.operand(1), last);
  Attributes attributes = c.attributes;
  attributes.set("kind", std::string("add"));
  return {b.apply("scatter", {b.zeros(c.type(0)), indices, c.cotangent()}, std::move(attributes)), Value{}};
}

std::vector<Value> batch_gather(BatchContext& c) {
  // x alone: the batch is one more axis before. Otherwise both have it in front.
  const bool shared = c.is_batched(1) || c.attributes.integer("batch") > 0;
  return only(c.builder.apply("gather", {c.batched_operand(0), shared ? c.batched_operand(1) : c.operand(1)},
                              with_batch_axis(c.attributes, shared)));
}

}  // namespace

OpDefinition op_gather() {
  OpDefinition op;
  op.name = "gather";
  op.group = OpGroup::indexed;
  op.doc = "Slices of x at `indices` along `axis`; indices out of range are clamped to the nearest valid one.";
  op.operands = {{.name = "x", .doc = "the tensor to read", .linear = true},
                 {.name = "indices", .doc = "integers; their shape replaces the axis"}};
  op.attributes = indexed_attributes();
  op.constraints = indexed_constraints();
  op.constraints.push_back({"c5", "(C5) the indexed axis is not empty"});
  op.infer = infer_gather;
  op.define = define_gather;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_gather;
  op.batch = batch_gather;
  op.example = "gather %table, %indices {axis = 0}";
  return op;
}

}  // namespace hyperion::ir::ops

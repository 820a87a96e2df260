// dynamic_update_slice.cpp: a tensor with one window replaced, at a place that is computed.
//
// Start k is clamped to [0, size - size of the update], so that the update always lies within the operand.
#include "ir/ops/window_place.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_dynamic_update_slice(const InferContext& c) {
  const Type x = c.operands[0], update = c.operands[1];
  if (x.dtype() != update.dtype() || x.rank() != update.rank()) {
    return c.fail("c3", format("{} cannot replace a window of {}", update.text(), x.text()), {0, 1});
  }
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!fits(update.dim(axis), x.dim(axis))) {
      return c.fail("c4", format("an update of {} does not fit into axis {} of {}", update.dim(axis).text(), axis, x.text()),
                    {0, 1});
    }
  }
  HYP_TRY_VOID(check_starts(c, x.rank(), 2));
  return std::vector{x};
}

std::vector<Lambda> define_dynamic_update_slice(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> element = index_terms(pool, variables);
  TermId inside = pool.truth(true);
  std::vector<TermId> source;
  for (std::size_t axis = 0; axis < variables.size(); ++axis) {
    source.push_back(pool.subtract(element[axis], window_start(c, 2, axis, c.operands[0], c.operands[1])));
    inside = pool.both(inside, pool.in_range(source[axis], c.operands[1].dim(static_cast<int>(axis))));
  }
  return {{variables, pool.choose(inside, c.access(1, std::move(source)), c.access(0, element))}};
}

std::vector<Value> transpose_dynamic_update_slice(TransposeContext& c) {
  Builder& b = c.builder;
  const std::span<const Value> starts = std::span(c.operands).subspan(2);
  std::vector<Value> result(c.operands.size());
  if (c.is_linear(0)) {
    std::vector<Value> operands = {c.cotangent(), b.zeros(c.type(1))};
    operands.insert(operands.end(), starts.begin(), starts.end());
    result[0] = b.apply("dynamic_update_slice", operands);
  }
  if (c.is_linear(1)) {
    std::vector<Value> operands = {c.cotangent()};
    operands.insert(operands.end(), starts.begin(), starts.end());
    result[1] = b.apply("dynamic_slice", operands, {{"sizes", dims_of(c.type(1))}});
  }
  return result;
}

// Every slice has its own window: each element of the result looks up the update element that would cover it.
Value update_by_gather(BatchContext& c, Value x, Value update) {
  Builder& b = c.builder;
  Value covered = b.constant(x.type().with_dtype(DType::bool_), 1.0);
  for (int axis = 1; axis < x.rank(); ++axis) {
    const std::int64_t size = update.dim(axis).value();
    const Type line(DType::i64, {c.size, x.dim(axis)});
    Value start = clamp_indices(c.operand(axis + 1), x.dim(axis).value() - size);
    start = broadcast_into(start, line, c.is_batched(axis + 1) ? Integers{0} : Integers{});
    const Value offset = iota(b, line, 1) - start;
    const Value inside = b.apply("and", {b.compare(offset, integer_like(offset, 0), "ge"), b.compare(offset, integer_like(offset, size), "lt")});
    covered = b.apply("and", {covered, broadcast_into(inside, covered.type(), {0, axis})});
    update = b.apply("gather", {update, offset}, {{"axis", std::int64_t{axis}}, {"batch", std::int64_t{1}}});
  }
  return b.select(covered, update, x);
}

std::vector<Value> batch_dynamic_update_slice(BatchContext& c) {
  const Value x = c.batched_operand(0), update = c.batched_operand(1);
  bool own_places = false, nothing = false;
  for (int axis = 1; axis < x.rank(); ++axis) {
    own_places |= c.is_batched(axis + 1);
    nothing |= update.dim(axis) == Dim(0);
  }
  if (nothing) return only(x);
  if (own_places) return only(update_by_gather(c, x, update));
  std::vector<Value> operands = {x, update, c.builder.constant(Type::scalar(DType::i64), 0.0)};
  operands.insert(operands.end(), c.operands.begin() + 2, c.operands.end());
  return only(c.builder.apply("dynamic_update_slice", operands));
}

}  // namespace

OpDefinition op_dynamic_update_slice() {
  OpDefinition op;
  op.name = "dynamic_update_slice";
  op.group = OpGroup::indexed;
  op.doc = "x with the window at the given starts replaced by `update`; starts are clamped so that the update fits.";
  op.operands = {{.name = "x", .doc = "the tensor before", .linear = true},
                 {.name = "update", .doc = "the new window", .linear = true},
                 {.name = "starts", .doc = "one integer scalar per axis", .variadic = true}};
  op.constraints = {{"c1", "(C1) there is one start per axis"},
                    {"c2", "(C2) starts are scalars of type i32 or i64"},
                    {"c3", "(C3) update has the element type and rank of x"},
                    {"c4", "(C4) the update fits into x"}};
  op.infer = infer_dynamic_update_slice;
  op.define = define_dynamic_update_slice;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_dynamic_update_slice;
  op.batch = batch_dynamic_update_slice;
  op.example = "dynamic_update_slice %x, %update, %i, %j";
  return op;
}

}  // namespace hyperion::ir::ops

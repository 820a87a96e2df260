// dynamic_slice.cpp: a window whose place is computed.
//
// Start k is clamped to [0, size - sizes[k]], so that the window always lies within the operand.
#include "ir/ops/window_place.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_dynamic_slice(const InferContext& c) {
  const Type x = c.operands[0];
  const Dims& sizes = c.attributes.dims("sizes");
  if (std::ssize(sizes) != x.rank()) {
    return c.fail("c3", format("{} sizes for an operand of rank {}", sizes.size(), x.rank()), {0});
  }
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!fits(sizes[at(axis)], x.dim(axis))) {
      return c.fail("c4", format("a window of {} does not fit into axis {} of {}", sizes[at(axis)].text(), axis, x.text()), {0});
    }
  }
  HYP_TRY_VOID(check_starts(c, x.rank(), 1));
  return std::vector{x.with_dims(sizes)};
}

std::vector<Lambda> define_dynamic_slice(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  std::vector<TermId> source;
  for (std::size_t axis = 0; axis < variables.size(); ++axis) {
    source.push_back(pool.add(window_start(c, 1, axis, c.operands[0], c.results[0]), pool.index(variables[axis])));
  }
  return {{variables, c.access(0, std::move(source))}};
}

std::vector<Value> transpose_dynamic_slice(TransposeContext& c) {
  std::vector<Value> operands = {c.builder.zeros(c.type(0)), c.cotangent()};
  operands.insert(operands.end(), c.operands.begin() + 1, c.operands.end());
  std::vector<Value> result(c.operands.size());
  result[0] = c.builder.apply("dynamic_update_slice", operands);
  return result;
}

// Starts that are the same for all slices stay one dynamic_slice; along the other axes, every slice gathers its window.
std::vector<Value> batch_dynamic_slice(BatchContext& c) {
  Builder& b = c.builder;
  Value x = c.batched_operand(0);
  const int rank = x.rank() - 1;
  Dims sizes = dims_of(x.type());
  std::vector<Value> operands = {x, b.constant(Type::scalar(DType::i64), 0.0)};
  for (int axis = 0; axis < rank; ++axis) {
    const bool common = !c.is_batched(axis + 1);
    if (common) sizes[at(axis + 1)] = c.attributes.dims("sizes")[at(axis)];
    operands.push_back(common ? c.operand(axis + 1) : b.constant(Type::scalar(DType::i64), 0.0));
  }
  if (!std::ranges::equal(sizes, x.type().dims())) {
    x = b.apply("dynamic_slice", operands, {{"sizes", sizes}});
  }
  for (int axis = 0; axis < rank; ++axis) {
    if (!c.is_batched(axis + 1)) continue;
    const std::int64_t size = c.attributes.dims("sizes")[at(axis)].value();
    const Value start = clamp_indices(c.operand(axis + 1), x.dim(axis + 1).value() - size);
    const Type window(DType::i64, {c.size, Dim(size)});
    const Value indices = broadcast_into(start, window, {0}) + iota(b, window, 1);
    if (x.dim(axis + 1) != Dim(0)) {
      x = b.apply("gather", {x, indices}, {{"axis", std::int64_t{axis + 1}}, {"batch", std::int64_t{1}}});
    }
  }
  return only(x);
}

}  // namespace

OpDefinition op_dynamic_slice() {
  OpDefinition op;
  op.name = "dynamic_slice";
  op.group = OpGroup::indexed;
  op.doc = "The window of shape `sizes` at the given starts, each clamped so that the window fits.";
  op.operands = {{.name = "x", .doc = "the tensor to read", .linear = true},
                 {.name = "starts", .doc = "one integer scalar per axis", .variadic = true}};
  op.attributes = {{"sizes", AttributeKind::dims, "the shape of the window", std::nullopt}};
  op.constraints = {{"c1", "(C1) there is one start per axis"},
                    {"c2", "(C2) starts are scalars of type i32 or i64"},
                    {"c3", "(C3) sizes has one entry per axis"},
                    {"c4", "(C4) the window fits into the operand"}};
  op.infer = infer_dynamic_slice;
  op.define = define_dynamic_slice;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_dynamic_slice;
  op.batch = batch_dynamic_slice;
  op.example = "dynamic_slice %x, %i, %j {sizes = [1, 8]}";
  return op;
}

}  // namespace hyperion::ir::ops

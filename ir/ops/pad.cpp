// pad.cpp: a value around and between the elements; negative edges crop.
//
// Axis k first gets `interior` copies of the value between neighbours, then `low` before and `high` behind. A negative
// edge removes that many positions, elements or padding.
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_pad(const InferContext& c) {
  const Type x = c.operands[0], value = c.operands[1];
  const Integers& low = c.attributes.integers("low");
  const Integers& high = c.attributes.integers("high");
  const Integers& interior = c.attributes.integers("interior");
  if (value != Type::scalar(x.dtype())) {
    return c.fail("c1", format("the padding value is {}, not {}", value.text(), Type::scalar(x.dtype()).text()), {1});
  }
  if (std::ssize(low) != x.rank() || std::ssize(high) != x.rank() || std::ssize(interior) != x.rank()) {
    return c.fail("c2", format("{} low, {} high and {} interior entries for an operand of rank {}", low.size(),
                               high.size(), interior.size(), x.rank()),
                  {0});
  }
  Dims dims;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t between = interior[at(axis)];
    Dim size = x.dim(axis);
    if (between < 0) return c.fail("c3", format("interior padding {} on axis {} is negative", between, axis));
    if (between > 0 && !size.is_static()) {
      return c.fail("c5", format("interior padding on axis {} of symbolic size {}", axis, size.text()), {0});
    }
    if (between > 0 && size.value() > 0) size = size + Dim((size.value() - 1) * between);
    const Dim padded = size + Dim(low[at(axis)]) + Dim(high[at(axis)]);
    if (padded.is_static() && padded.value() < 0) {
      return c.fail("c4", format("axis {} of size {} is cropped by more than it has", axis, x.dim(axis).text()), {0});
    }
    dims.push_back(padded);
  }
  return std::vector{x.with_dims(dims)};
}

std::vector<Lambda> define_pad(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  TermId inside = pool.truth(true);
  std::vector<TermId> source;
  for (int axis = 0; axis < c.operands[0].rank(); ++axis) {
    const std::int64_t step = c.attributes.integers("interior")[at(axis)] + 1;
    const TermId position = pool.subtract(pool.index(variables[at(axis)]), pool.index(Dim(c.attributes.integers("low")[at(axis)])));
    const TermId element = pool.divide(position, step);
    inside = pool.both(inside, pool.both(pool.divides(step, position), pool.in_range(element, c.operands[0].dim(axis))));
    source.push_back(element);
  }
  return {{variables, pool.choose(inside, c.access(0, std::move(source)), c.access(1, {}))}};
}

// x: crop the edges, then take every (interior + 1)-th. value: the sum of what is not x.
std::vector<Value> transpose_pad(TransposeContext& c) {
  Builder& b = c.builder;
  const Integers& low = c.attributes.integers("low");
  const Integers& high = c.attributes.integers("high");
  const Integers& interior = c.attributes.integers("interior");
  const Type x = c.type(0);
  std::vector<Value> result(2);
  if (c.is_linear(0)) {
    Integers uncrop_low, uncrop_high, starts(low.size(), 0), limits, strides;
    for (std::size_t axis = 0; axis < low.size(); ++axis) {
      uncrop_low.push_back(-low[axis]);
      uncrop_high.push_back(-high[axis]);
    }
    const Value whole = b.apply("pad", {c.cotangent(), b.zeros(Type::scalar(x.dtype()))},
                                {{"low", uncrop_low}, {"high", uncrop_high}, {"interior", Integers(low.size(), 0)}});
    for (int axis = 0; axis < x.rank(); ++axis) {
      limits.push_back(whole.dim(axis).is_static() ? whole.dim(axis).value() : -1);
      strides.push_back(interior[at(axis)] + 1);
    }
    result[0] = b.slice(whole, starts, limits, strides);
  }
  if (c.is_linear(1)) {
    const Value is_padding = b.apply("pad", {b.constant(x.with_dtype(DType::bool_), 0.0), b.constant(Type::scalar(DType::bool_), 1.0)}, c.attributes);
    const Value padding = b.select(is_padding, c.cotangent(), b.zeros(c.cotangent().type()));
    result[1] = b.reduce(padding, Monoid::sum, counting(0, x.rank()));
  }
  return result;
}

// A batched padding value differs from slice to slice: pad with the mark false, and choose by it.
std::vector<Value> batch_pad(BatchContext& c) {
  Builder& b = c.builder;
  Attributes attributes = c.attributes;
  for (std::string_view name : {"low", "high", "interior"}) {
    attributes.set(name, inserted(c.attributes.integers(name), 0, 0));
  }
  const Value x = c.batched_operand(0);
  if (!c.is_batched(1)) return only(b.apply("pad", {x, c.operand(1)}, std::move(attributes)));
  const Type scalar = Type::scalar(x.dtype());
  const Value padded = b.apply("pad", {x, b.zeros(scalar)}, attributes);
  const Value inside = b.apply("pad", {b.constant(x.type().with_dtype(DType::bool_), 1.0), b.constant(Type::scalar(DType::bool_), 0.0)}, attributes);
  return only(b.select(inside, padded, broadcast_into(c.operand(1), padded.type(), {0})));
}

}  // namespace

OpDefinition op_pad() {
  OpDefinition op;
  op.name = "pad";
  op.group = OpGroup::view;
  op.doc = "`value` around the elements (low, high) and between them (interior); negative edges crop.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true},
                 {.name = "value", .doc = "the padding, rank 0", .linear = true}};
  op.attributes = {{"low", AttributeKind::integers, "positions before the first element, per axis", std::nullopt},
                   {"high", AttributeKind::integers, "positions behind the last element, per axis", std::nullopt},
                   {"interior", AttributeKind::integers, "positions between neighbours, per axis", std::nullopt}};
  op.constraints = {{"c1", "(C1) value is a scalar of the operand's element type"},
                    {"c2", "(C2) low, high and interior have one entry per axis"},
                    {"c3", "(C3) interior padding is not negative"},
                    {"c4", "(C4) no result dimension is negative"},
                    {"c5", "(C5) a symbolic axis has no interior padding"}};
  op.infer = infer_pad;
  op.define = define_pad;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_pad;
  op.batch = batch_pad;
  op.example = "pad %x, %zero {high = [1, 1], interior = [0, 0], low = [1, 1]}";
  return op;
}

}  // namespace hyperion::ir::ops

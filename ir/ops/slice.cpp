// slice.cpp: every stride-th element between two bounds, along each axis.
//
// An axis of symbolic size can only be kept whole or cut at the front, since nothing else has a size that can be written
// down; its limit is then -1, "to the end". On static axes limits are always explicit, so readers need not translate.
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_slice(const InferContext& c) {
  const Type x = c.operands[0];
  const Integers& starts = c.attributes.integers("starts");
  const Integers& limits = c.attributes.integers("limits");
  const Integers& strides = c.attributes.integers("strides");
  if (std::ssize(starts) != x.rank() || std::ssize(limits) != x.rank() || std::ssize(strides) != x.rank()) {
    return c.fail("c1", format("{} starts, {} limits and {} strides for an operand of rank {}", starts.size(),
                               limits.size(), strides.size(), x.rank()),
                  {0});
  }
  Dims dims;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t start = starts[at(axis)], limit = limits[at(axis)], stride = strides[at(axis)];
    const Dim size = x.dim(axis);
    if (stride < 1) return c.fail("c3", format("stride {} on axis {} is not positive", stride, axis));
    if (!size.is_static()) {
      if (start < 0 || limit != -1 || stride != 1) {
        return c.fail("c4", format("axis {} has the symbolic size {}; only start:-1:1 is possible", axis, size.text()), {0});
      }
      dims.push_back(size - Dim(start));
      continue;
    }
    if (start < 0 || start > limit || limit > size.value()) {
      return c.fail("c2", format("{}:{} is not a range within axis {} of size {}", start, limit, axis, size.text()), {0});
    }
    dims.push_back((limit - start + stride - 1) / stride);
  }
  return std::vector{x.with_dims(dims)};
}

std::vector<Lambda> define_slice(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  std::vector<TermId> source;
  for (std::size_t axis = 0; axis < variables.size(); ++axis) {
    source.push_back(pool.add(pool.scale(pool.index(variables[axis]), c.attributes.integers("strides")[axis]),
                              pool.index(Dim(c.attributes.integers("starts")[axis]))));
  }
  return {{variables, c.access(0, std::move(source))}};
}

// Zeros between the kept elements, and outside of them.
std::vector<Value> transpose_slice(TransposeContext& c) {
  Integers low = c.attributes.integers("starts"), high, interior;
  for (int axis = 0; axis < c.type(0).rank(); ++axis) {
    const Dim size = c.type(0).dim(axis);
    const std::int64_t stride = c.attributes.integers("strides")[at(axis)];
    const Dim kept = c.cotangent().dim(axis);
    const Dim covered = kept == Dim(0) ? Dim(0) : kept * stride - Dim(stride - 1);
    interior.push_back(stride - 1);
    high.push_back((size - covered - Dim(low[at(axis)])).value());
  }
  return only(c.builder.apply("pad", {c.cotangent(), c.builder.zeros(Type::scalar(c.type(0).dtype()))},
                              {{"low", low}, {"high", high}, {"interior", interior}}));
}

}  // namespace

OpDefinition op_slice() {
  OpDefinition op;
  op.name = "slice";
  op.group = OpGroup::view;
  op.doc = "Along each axis, the elements starts, starts + strides, ... below limits.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = {{"starts", AttributeKind::integers, "the first index, per axis", std::nullopt},
                   {"limits", AttributeKind::integers, "one past the last index, per axis; -1 on symbolic axes", std::nullopt},
                   {"strides", AttributeKind::integers, "the step, per axis", std::nullopt}};
  op.constraints = {{"c1", "(C1) starts, limits and strides have one entry per axis"},
                    {"c2", "(C2) 0 <= start <= limit <= size, on every static axis"},
                    {"c3", "(C3) strides are positive"},
                    {"c4", "(C4) a symbolic axis has limit -1 and stride 1"}};
  op.infer = infer_slice;
  op.define = define_slice;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_slice;
  op.batch = [](BatchContext& c) {
    const Attributes& a = c.attributes;
    return only(c.builder.slice(c.operand(0), inserted(a.integers("starts"), 0, 0),
                                inserted(a.integers("limits"), 0, c.size.is_static() ? c.size.value() : -1),
                                inserted(a.integers("strides"), 0, 1)));
  };
  op.example = "slice %x {limits = [4, 8], starts = [0, 2], strides = [1, 2]}";
  return op;
}

}  // namespace hyperion::ir::ops

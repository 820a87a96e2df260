// broadcast.cpp: repeats elements along new or stretched axes.
#include <algorithm>

#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_broadcast(const InferContext& c) {
  const Type x = c.operands[0];
  const Dims& shape = c.attributes.dims("shape");
  const Integers& dims = c.attributes.integers("dims");
  if (static_cast<int>(dims.size()) != x.rank() || shape.size() > kMaxRank) {
    return c.fail("c1", format("dims has {} entries for an operand of rank {}", dims.size(), x.rank()), {0});
  }
  std::int64_t previous = -1;
  for (std::size_t k = 0; k < dims.size(); ++k) {
    if (dims[k] <= previous || dims[k] >= static_cast<std::int64_t>(shape.size())) {
      return c.fail("c2", format("dims = {} is not an increasing list of result axes", text(AttributeValue(dims))));
    }
    previous = dims[k];
    const Dim from = x.dim(static_cast<int>(k)), to = shape[static_cast<std::size_t>(dims[k])];
    if (from != to && from != Dim(1)) {
      return c.fail("c3", format("operand axis {} of size {} cannot become size {}", k, from.text(), to.text()), {0});
    }
  }
  return std::vector{x.with_dims(shape)};
}

std::vector<Lambda> define_broadcast(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const Integers& dims = c.attributes.integers("dims");
  std::vector<TermId> source;
  for (std::size_t k = 0; k < dims.size(); ++k) {
    const bool stretched = c.operands[0].dim(static_cast<int>(k)) == Dim(1);
    source.push_back(stretched ? pool.index(Dim(0)) : pool.index(variables[static_cast<std::size_t>(dims[k])]));
  }
  return {{variables, c.access(0, std::move(source))}};
}

std::vector<Value> transpose_broadcast(TransposeContext& c) {
  const Integers& dims = c.attributes.integers("dims");
  Integers summed;
  for (int axis = 0; axis < c.cotangent().rank(); ++axis) {
    const auto found = std::ranges::find(dims, axis);
    const bool stretched = found == dims.end() ||
                           c.type(0).dim(static_cast<int>(found - dims.begin())) != c.cotangent().dim(axis);
    if (stretched) summed.push_back(axis);
  }
  return only(c.builder.reshape(c.builder.reduce(c.cotangent(), Monoid::sum, summed), c.type(0).dims()));
}

}  // namespace

OpDefinition op_broadcast() {
  OpDefinition op;
  op.name = "broadcast";
  op.group = OpGroup::view;
  op.doc = "Repeats elements: operand axis k becomes result axis dims[k]; axes of size 1 stretch; other axes are new.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = {{"shape", AttributeKind::dims, "the shape of the result", std::nullopt},
                   {"dims", AttributeKind::integers, "the result axis of each operand axis, increasing", std::nullopt}};
  op.constraints = {{"c1", "(C1) dims has one entry per operand axis"},
                    {"c2", "(C2) dims is increasing and within the result"},
                    {"c3", "(C3) each operand axis has size 1 or the size of its result axis"}};
  op.infer = infer_broadcast;
  op.define = define_broadcast;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_broadcast;
  op.batch = [](BatchContext& c) {
    Dims shape = c.attributes.dims("shape");
    Integers dims = c.attributes.integers("dims");
    shape.insert(shape.begin(), c.size);
    for (std::int64_t& dim : dims) ++dim;
    dims.insert(dims.begin(), 0);
    return only(c.builder.broadcast(c.operand(0), shape, std::move(dims)));
  };
  op.example = "broadcast %b {dims = [1], shape = [32, 10]}";
  return op;
}

}  // namespace hyperion::ir::ops

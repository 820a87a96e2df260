// concatenate.cpp: tensors one after the other along an axis.
#include <algorithm>

#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_concatenate(const InferContext& c) {
  if (c.operands.empty()) return c.fail("c1", "nothing to concatenate");
  const Type first = c.operands[0];
  const std::int64_t axis = c.attributes.integer("axis");
  if (axis < 0 || axis >= first.rank()) return c.fail("c2", format("axis {} is not an axis of {}", axis, first.text()), {0});
  Dims dims = dims_of(first);
  for (std::size_t k = 1; k < c.operands.size(); ++k) {
    const Type part = c.operands[k];
    Dims expected = dims_of(first);
    if (part.rank() == first.rank()) expected[at(axis)] = part.dim(static_cast<int>(axis));
    if (part != first.with_dims(expected)) {
      return c.fail("c3", format("{} and {} differ beyond axis {}", first.text(), part.text(), axis),
                    {0, static_cast<int>(k)});
    }
    dims[at(axis)] = dims[at(axis)] + part.dim(static_cast<int>(axis));
  }
  return std::vector{first.with_dims(dims)};
}

// ite(i < d0, x0[i], ite(i < d0 + d1, x1[i - d0], ...)).
std::vector<Lambda> define_concatenate(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::size_t axis = at(c.attributes.integer("axis"));
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> indices = index_terms(pool, variables);
  Dim end = c.results[0].dim(static_cast<int>(axis));
  TermId chosen;
  for (std::size_t k = c.operands.size(); k-- > 0;) {
    const Dim size = c.operands[k].dim(static_cast<int>(axis));
    const Dim begin = end - size;
    std::vector<TermId> source = indices;
    source[axis] = pool.subtract(indices[axis], pool.index(begin));
    const TermId element = c.access(static_cast<int>(k), std::move(source));
    chosen = chosen.valid() ? pool.choose(pool.less(indices[axis], pool.index(end)), element, chosen) : element;
    end = begin;
  }
  return {{variables, chosen}};
}

std::vector<Value> transpose_concatenate(TransposeContext& c) {
  const int axis = static_cast<int>(c.attributes.integer("axis"));
  std::vector<Value> parts;
  std::int64_t start = 0;
  for (std::size_t k = 0; k < c.operand_types.size(); ++k) {
    const std::int64_t limit = start + c.operand_types[k].dim(axis).value();
    parts.push_back(c.is_linear(static_cast<int>(k)) ? slice_axis(c.cotangent(), axis, start, limit) : Value{});
    start = limit;
  }
  return parts;
}

}  // namespace

OpDefinition op_concatenate() {
  OpDefinition op;
  op.name = "concatenate";
  op.group = OpGroup::view;
  op.doc = "The operands one after the other along `axis`.";
  op.operands = {{.name = "parts", .doc = "at least one tensor", .variadic = true, .linear = true}};
  op.attributes = {{"axis", AttributeKind::integer, "the axis along which parts follow each other", std::nullopt}};
  op.constraints = {{"c1", "(C1) there is at least one operand"},
                    {"c2", "(C2) axis is an axis of the operands"},
                    {"c3", "(C3) operands agree in element type and in all other dimensions"}};
  op.infer = infer_concatenate;
  op.define = define_concatenate;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_concatenate;
  op.batch = [](BatchContext& c) {
    std::vector<Value> parts;
    for (std::size_t k = 0; k < c.operands.size(); ++k) parts.push_back(c.batched_operand(static_cast<int>(k)));
    return only(c.builder.apply("concatenate", parts, {{"axis", c.attributes.integer("axis") + 1}}));
  };
  op.example = "concatenate %x, %y {axis = 1}";
  return op;
}

}  // namespace hyperion::ir::ops

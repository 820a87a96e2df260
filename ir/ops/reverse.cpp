// reverse.cpp: the elements in opposite order along some axes.
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_reverse() {
  OpDefinition op;
  op.name = "reverse";
  op.group = OpGroup::view;
  op.doc = "The elements in opposite order along each of `axes`.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = {{"axes", AttributeKind::integers, "the axes to reverse", std::nullopt}};
  op.constraints = {{"c1", "(C1) axes are distinct axes of the operand"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Integers& axes = c.attributes.integers("axes");
    if (!distinct_axes(axes, c.operands[0].rank())) {
      return c.fail("c1", format("{} are not distinct axes of {}", text(AttributeValue(axes)), c.operands[0].text()), {0});
    }
    return std::vector{c.operands[0]};
  };
  op.define = [](const DefineContext& c) -> std::vector<Lambda> {
    TermPool& pool = c.pool;
    const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
    std::vector<TermId> source = index_terms(pool, variables);
    for (std::int64_t axis : c.attributes.integers("axes")) {
      const Dim last = c.results[0].dim(static_cast<int>(axis)) - Dim(1);
      source[at(axis)] = pool.subtract(pool.index(last), source[at(axis)]);
    }
    return {{variables, c.access(0, std::move(source))}};
  };
  op.linearity = Linearity::jointly;
  op.transpose = [](TransposeContext& c) { return only(c.builder.apply("reverse", {c.cotangent()}, c.attributes)); };
  op.batch = [](BatchContext& c) {
    return only(c.builder.apply("reverse", {c.operand(0)}, {{"axes", incremented(c.attributes.integers("axes"))}}));
  };
  op.example = "reverse %x {axes = [0]}";
  return op;
}

}  // namespace hyperion::ir::ops

// transpose.cpp: the same elements with the axes in another order.
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_transpose() {
  OpDefinition op;
  op.name = "transpose";
  op.group = OpGroup::view;
  op.doc = "Axes in another order: result axis k is operand axis permutation[k].";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = {{"permutation", AttributeKind::integers, "the operand axis of each result axis", std::nullopt}};
  op.constraints = {{"c1", "(C1) permutation holds each axis of the operand once"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Type x = c.operands[0];
    const Integers& permutation = c.attributes.integers("permutation");
    if (std::ssize(permutation) != x.rank() || !distinct_axes(permutation, x.rank())) {
      return c.fail("c1", format("{} is not a permutation of the axes of {}", text(AttributeValue(permutation)), x.text()),
                    {0});
    }
    return std::vector{x.with_dims(gathered(x, permutation))};
  };
  op.define = [](const DefineContext& c) -> std::vector<Lambda> {
    const Integers& permutation = c.attributes.integers("permutation");
    const std::vector<VariableId> variables = c.pool.variables(c.results[0].dims());
    std::vector<TermId> source(variables.size());
    for (std::size_t k = 0; k < source.size(); ++k) source[at(permutation[k])] = c.pool.index(variables[k]);
    return {{variables, c.access(0, std::move(source))}};
  };
  op.linearity = Linearity::jointly;
  op.transpose = [](TransposeContext& c) {
    return only(c.builder.transpose(c.cotangent(), inverse(c.attributes.integers("permutation"))));
  };
  op.batch = [](BatchContext& c) {
    return only(c.builder.transpose(c.operand(0), inserted(incremented(c.attributes.integers("permutation")), 0, 0)));
  };
  op.example = "transpose %x {permutation = [1, 0]}";
  return op;
}

}  // namespace hyperion::ir::ops

// call.cpp: the results of another function of the same module.
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_call() {
  OpDefinition op;
  op.name = "call";
  op.group = OpGroup::control;
  op.doc = "Applies a function of the same module. Equal, by definition, to that function's body.";
  op.operands = {{.name = "arguments", .doc = "one per parameter", .variadic = true}};
  op.attributes = {{"callee", AttributeKind::symbol, "the function", std::nullopt}};
  op.constraints = {{"c1", "(C1) the callee exists"}, {"c2", "(C2) arguments have the types of its parameters"}};
  op.result_count = -1;
  op.anchor = Anchor::opaque;
  op.infer = [](const InferContext& c) -> InferResult {
    const std::string& name = c.attributes.symbol("callee");
    const Function* callee = c.module == nullptr ? nullptr : c.module->find(name);
    if (callee == nullptr || !callee->is_complete()) return c.fail("c1", format("no function is called @{}", name));
    const std::vector<Type> expected = callee->parameter_types();
    if (expected.size() != c.operands.size()) {
      return c.fail("c2", format("@{} takes {} arguments, got {}", name, expected.size(), c.operands.size()));
    }
    for (std::size_t k = 0; k < expected.size(); ++k) {
      if (expected[k] != c.operands[k]) {
        return c.fail("c2", format("argument {} of @{} is {}, got {}", k, name, expected[k].text(),
                                   c.operands[k].text()),
                      {static_cast<int>(k)});
      }
    }
    return callee->result_types();
  };
  op.evaluate = [](const EvaluateContext& c) { return c.call(c.attributes.symbol("callee"), c.operands); };
  op.example = "call %x {callee = @f}";
  return op;
}

}  // namespace hyperion::ir::ops

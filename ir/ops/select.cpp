// select.cpp: elementwise choice between two tensors.
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_select() {
  OpDefinition op;
  op.name = "select";
  op.group = OpGroup::typed;
  op.doc = "Elementwise: on_true where the predicate holds, else on_false.";
  op.operands = {{.name = "predicate", .doc = "bool"},
                 {.name = "on_true", .doc = "taken where true", .linear = true},
                 {.name = "on_false", .doc = "taken where false", .linear = true}};
  op.is_elementwise = true;
  op.primitive = Primitive::select;
  op.constraints = {{"c1", "(C1) on_true and on_false have the same type"},
                    {"c2", "(C2) predicate is bool, of the same shape"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Type predicate = c.operands[0], on_true = c.operands[1];
    if (on_true != c.operands[2]) {
      return c.fail("c1", format("operands have different types: {} and {}", on_true.text(), c.operands[2].text()),
                    {1, 2});
    }
    if (predicate != on_true.with_dtype(DType::bool_)) {
      return c.fail("c2", format("predicate {} is not {}", predicate.text(), on_true.with_dtype(DType::bool_).text()),
                    {0});
    }
    return std::vector{on_true};
  };
  op.linearity = Linearity::jointly;
  op.transpose = [](TransposeContext& c) {
    const Value zero = c.builder.zeros(c.type(1));
    return std::vector{Value{},
                       c.is_linear(1) ? c.builder.select(c.operand(0), c.cotangent(), zero) : Value{},
                       c.is_linear(2) ? c.builder.select(c.operand(0), zero, c.cotangent()) : Value{}};
  };
  op.example = "select %p, %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

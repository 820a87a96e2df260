// compare.cpp: elementwise comparison to bool.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_compare() {
  OpDefinition op = binary_op("compare", "Elementwise comparison. With a NaN only `ne` holds; -0 equals +0.",
                              any_real_dtype, "a real type");
  op.group = OpGroup::typed;
  op.attributes = {{"direction", AttributeKind::text, "eq, ne, lt, le, gt or ge", std::nullopt}};
  op.constraints.push_back({"c3", "(C3) direction is one of eq, ne, lt, le, gt, ge"});
  op.infer = [operands = op.infer](const InferContext& c) -> InferResult {
    HYP_TRY(const std::vector<Type> types, operands(c));
    const std::string& direction = c.attributes.text("direction");
    if (comparison_code(direction) < 0) {
      return c.fail("c3", "direction \"" + direction + "\" is not one of eq, ne, lt, le, gt, ge");
    }
    return std::vector{types[0].with_dtype(DType::bool_)};
  };
  op.primitive = Primitive::compare;
  op.example = "compare %x, %y {direction = \"lt\"}";
  return op;
}

}  // namespace hyperion::ir::ops

// log_softmax.cpp: x - log(sum e^x) along an axis; the maximum is subtracted first, so nothing overflows.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_log_softmax() {
  OpDefinition op = composite("log_softmax", "The logarithm of softmax.", {{.name = "x", .doc = "the logits"}});
  op.attributes = {axis_attribute("the axis whose exponentials sum to 1")};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"}, {"c2", "(C2) axis is an axis of the operand"}};
  op.infer = infer_along_axis;
  op.decompose = [](DecomposeContext& c) {
    const Value x = carried(c.operand(0));
    const Integers axes = {c.attributes.integer("axis")};
    const Value shifted = x - spread(shift_over(x, axes), x.type(), axes);
    const Value log_sum = unary("log", sum_over(unary("exp", shifted), axes));
    return only(rounded(shifted - spread(log_sum, x.type(), axes), c.operand(0).dtype()));
  };
  op.example = "log_softmax %x {axis = 1}";
  return op;
}

}  // namespace hyperion::ir::ops

// softmax.cpp: e^x over its sum along an axis; the maximum is subtracted first, so nothing overflows.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_softmax() {
  OpDefinition op = composite("softmax", "e^x divided by its sum along `axis`.", {{.name = "x", .doc = "the logits"}});
  op.attributes = {axis_attribute("the axis whose elements sum to 1")};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"}, {"c2", "(C2) axis is an axis of the operand"}};
  op.infer = infer_along_axis;
  op.decompose = [](DecomposeContext& c) {
    const Value x = carried(c.operand(0));
    const Integers axes = {c.attributes.integer("axis")};
    const Value powers = unary("exp", x - spread(shift_over(x, axes), x.type(), axes));
    const Value share = 1.0 / sum_over(powers, axes);  // one division per row, where a quotient takes one per element
    return only(rounded(powers * spread(share, x.type(), axes), c.operand(0).dtype()));
  };
  op.example = "softmax %x {axis = 1}";
  return op;
}

}  // namespace hyperion::ir::ops

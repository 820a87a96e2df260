// batch_norm_inference.cpp: batch_norm with statistics that are given.
#include "ir/ops/normalization.hpp"

namespace hyperion::ir::ops {

OpDefinition op_batch_norm_inference() {
  OpDefinition op = composite("batch_norm_inference", "(x - mean) / sqrt(variance + epsilon) * weight + bias, per channel.",
                              {{.name = "x", .doc = "the batch"},
                               {.name = "weight", .doc = "one factor per channel"},
                               {.name = "bias", .doc = "one addend per channel"},
                               {.name = "mean", .doc = "one mean per channel"},
                               {.name = "variance", .doc = "one variance per channel"}});
  op.attributes = {axis_attribute("the axis of channels"), epsilon_attribute()};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"},
                    {"c2", "(C2) the other operands have the element type of x and one element per channel"},
                    {"c3", "(C3) axis is an axis of x"}};
  op.infer = [](const InferContext& c) -> InferResult {
    HYP_TRY_VOID(check_axis(c, "c3", c.attributes.integer("axis"), c.operands[0].rank()));
    HYP_TRY_VOID(check_parameters(c, {c.attributes.integer("axis")}));
    return std::vector{c.operands[0]};
  };
  op.decompose = [](DecomposeContext& c) {
    const Value x = carried(c.operand(0));
    const Integers channel = {c.attributes.integer("axis")}, axes = other_axes(channel, x.rank());
    const auto per_channel = [&](int k) { return broadcast_into(carried(c.operand(k)), x.type(), channel); };
    const Value unit = normalized(x - per_channel(3), carried(c.operand(4)), axes, c.attributes.real("epsilon"));
    return only(rounded(unit * per_channel(1) + per_channel(2), c.operand(0).dtype()));
  };
  op.example = "batch_norm_inference %x, %weight, %bias, %mean, %variance {axis = 1, epsilon = 1e-05}";
  return op;
}

}  // namespace hyperion::ir::ops

// batch_norm.cpp: zero mean and unit variance per channel over the batch, then scale and shift (Ioffe and Szegedy, 2015).
//
// The training form. It also gives the batch's mean and biased variance per channel; running statistics are the
// caller's, as is the unbiased variance that PyTorch stores in them.
#include "ir/ops/normalization.hpp"

namespace hyperion::ir::ops {

OpDefinition op_batch_norm() {
  OpDefinition op = composite("batch_norm", "Normalises each channel by its own mean and biased variance; results: y, mean, variance.",
                              {{.name = "x", .doc = "the batch"},
                               {.name = "weight", .doc = "one factor per channel"},
                               {.name = "bias", .doc = "one addend per channel"}});
  op.attributes = {axis_attribute("the axis of channels"), epsilon_attribute()};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"},
                    {"c2", "(C2) weight and bias have the element type of x and one element per channel"},
                    {"c3", "(C3) axis is an axis of x"}};
  op.result_count = 3;
  op.infer = [](const InferContext& c) -> InferResult {
    HYP_TRY_VOID(check_axis(c, "c3", c.attributes.integer("axis"), c.operands[0].rank()));
    HYP_TRY_VOID(check_parameters(c, {c.attributes.integer("axis")}));
    return std::vector{c.operands[0], c.operands[1], c.operands[1]};
  };
  op.decompose = [](DecomposeContext& c) {
    const Value x = carried(c.operand(0)), weight = carried(c.operand(1)), bias = carried(c.operand(2));
    const Integers channel = {c.attributes.integer("axis")}, axes = other_axes(channel, x.rank());
    const Value mean = mean_over(x, axes);
    const Value centered = x - spread(mean, x.type(), axes);
    const Value variance = mean_over(centered * centered, axes);
    const Value unit = normalized(centered, variance, axes, c.attributes.real("epsilon"));
    const Value result = unit * broadcast_into(weight, x.type(), channel) + broadcast_into(bias, x.type(), channel);
    const DType dtype = c.operand(0).dtype();
    return std::vector{rounded(result, dtype), rounded(mean, dtype), rounded(variance, dtype)};
  };
  op.example = "batch_norm %x, %weight, %bias {axis = 1, epsilon = 1e-05}";
  return op;
}

}  // namespace hyperion::ir::ops

// layer_norm.cpp: zero mean and unit variance over trailing axes, then scale and shift (Ba, Kiros and Hinton, 2016).
#include <algorithm>

#include "ir/ops/normalization.hpp"

namespace hyperion::ir::ops {

OpDefinition op_layer_norm() {
  OpDefinition op = composite("layer_norm", "(x - mean) / sqrt(variance + epsilon) * weight + bias, over the trailing axes that weight has.",
                              {{.name = "x", .doc = "the tensor"},
                               {.name = "weight", .doc = "of the shape of the trailing axes"},
                               {.name = "bias", .doc = "likewise"}});
  op.attributes = {epsilon_attribute()};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"},
                    {"c2", "(C2) weight and bias have the element type and the trailing dimensions of x"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const std::int64_t rank = c.operands[0].rank(), count = std::min<std::int64_t>(c.operands[1].rank(), rank);
    HYP_TRY_VOID(check_parameters(c, counting(rank - count, count)));
    return std::vector{c.operands[0]};
  };
  op.decompose = [](DecomposeContext& c) {
    const Value x = carried(c.operand(0)), weight = carried(c.operand(1)), bias = carried(c.operand(2));
    const Integers axes = counting(x.rank() - weight.rank(), weight.rank());
    const Value centered = x - spread(mean_over(x, axes), x.type(), axes);
    const Value unit = normalized(centered, mean_over(centered * centered, axes), axes, c.attributes.real("epsilon"));
    const Value result = unit * broadcast_into(weight, x.type(), axes) + broadcast_into(bias, x.type(), axes);
    return only(rounded(result, c.operand(0).dtype()));
  };
  op.example = "layer_norm %x, %weight, %bias {epsilon = 1e-05}";
  return op;
}

}  // namespace hyperion::ir::ops

// rms_norm.cpp: unit root mean square over trailing axes, then scale (Zhang and Sennrich, 2019).
#include <algorithm>

#include "ir/ops/normalization.hpp"

namespace hyperion::ir::ops {

OpDefinition op_rms_norm() {
  OpDefinition op = composite("rms_norm", "x / sqrt(mean(x^2) + epsilon) * weight, over the trailing axes that weight has.",
                              {{.name = "x", .doc = "the tensor"}, {.name = "weight", .doc = "of the shape of the trailing axes"}});
  op.attributes = {epsilon_attribute()};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"},
                    {"c2", "(C2) weight has the element type and the trailing dimensions of x"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const std::int64_t rank = c.operands[0].rank(), count = std::min<std::int64_t>(c.operands[1].rank(), rank);
    HYP_TRY_VOID(check_parameters(c, counting(rank - count, count)));
    return std::vector{c.operands[0]};
  };
  op.decompose = [](DecomposeContext& c) {
    const Value x = carried(c.operand(0)), weight = carried(c.operand(1));
    const Integers axes = counting(x.rank() - weight.rank(), weight.rank());
    const Value unit = normalized(x, mean_over(x * x, axes), axes, c.attributes.real("epsilon"));
    return only(rounded(unit * broadcast_into(weight, x.type(), axes), c.operand(0).dtype()));
  };
  op.example = "rms_norm %x, %weight {epsilon = 1e-06}";
  return op;
}

}  // namespace hyperion::ir::ops

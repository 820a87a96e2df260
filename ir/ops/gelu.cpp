// gelu.cpp: x times the probability that a standard normal variable is below x.
#include "ir/ops/composite.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

Value gelu(Value x, const Attributes& attributes) {
  constexpr double kHalfRoot = 0.70710678118654752440;       // sqrt(1/2)
  constexpr double kTanhScale = 0.79788456080286535588;      // sqrt(2/pi)
  constexpr double kTanhCubic = 0.044715;
  if (attributes.text("approximate") == "none") return 0.5 * x * (unary("erf", x * kHalfRoot) + 1.0);
  const Value inner = (x + kTanhCubic * (x * x * x)) * kTanhScale;
  return 0.5 * x * (unary("tanh", inner) + 1.0);
}

}  // namespace

OpDefinition op_gelu() {
  OpDefinition op = composite_map("gelu", "x * P(N(0, 1) < x), by erf, or by PyTorch's tanh formula.", gelu);
  op.attributes = {{"approximate", AttributeKind::text, "none or tanh", AttributeValue(std::string("none"))}};
  op.constraints.push_back({"c2", "(C2) approximate is none or tanh"});
  op.infer = [operand = op.infer](const InferContext& c) -> InferResult {
    const std::string& approximate = c.attributes.text("approximate");
    if (approximate != "none" && approximate != "tanh") return c.fail("c2", format("approximate \"{}\" is not none or tanh", approximate));
    return operand(c);
  };
  op.example = "gelu %x {approximate = \"tanh\"}";
  return op;
}

}  // namespace hyperion::ir::ops

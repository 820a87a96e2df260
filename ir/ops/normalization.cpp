#include "ir/ops/normalization.hpp"

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

Value normalized(Value x, Value variance, const Integers& axes, double epsilon) {
  return x * spread(unary("rsqrt", variance + epsilon), x.type(), axes);
}

Result<> check_parameters(const InferContext& c, const Integers& axes) {
  HYP_TRY_VOID(check_floating(c, "c1", 0));
  const Type expected(c.operands[0].dtype(), gathered(c.operands[0], axes));
  for (int k = 1; k < static_cast<int>(c.operands.size()); ++k) {
    if (c.operands[at(k)] == expected) continue;
    return c.fail("c2", format("{} is {}, not {}", c.op.operands[at(k)].name, c.operands[at(k)].text(), expected.text()), {0, k});
  }
  return {};
}

}  // namespace hyperion::ir::ops

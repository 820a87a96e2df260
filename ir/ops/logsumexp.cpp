// logsumexp.cpp: log(sum e^x) along some axes; the maximum is subtracted first, so nothing overflows.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_logsumexp() {
  OpDefinition op = composite_reduction("logsumexp", "log(sum e^x) along `axes`.", [](Value x, const Integers& axes, const Attributes&) {
    const Value top = shift_over(x, axes);
    return unary("log", sum_over(unary("exp", x - spread(top, x.type(), axes)), axes)) + top;
  });
  op.example = "logsumexp %x {axes = [1]}";
  return op;
}

}  // namespace hyperion::ir::ops

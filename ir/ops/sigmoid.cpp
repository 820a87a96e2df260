// sigmoid.cpp: 1 / (1 + e^-x), without overflow: from e = e^-|x|, which is at most 1.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_sigmoid() {
  OpDefinition op = unary_op("sigmoid", "The logistic function 1 / (1 + e^-x).", floating_dtype, "a floating-point type");
  op.expand = [](const ExpandContext& c) {
    const Scalar one = c.constant(1.0);
    const Scalar e = call("exp", -abs(c[0]));
    return select(c[0] < c.constant(0.0), e, one) / (one + e);
  };
  op.ulp_f32 = 3;
  op.ulp_f64 = 3;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * (c.result() * (1.0 - c.result()))); };
  op.example = "sigmoid %x";
  return op;
}

}  // namespace hyperion::ir::ops

// acosh.cpp: inverse hyperbolic cosine.
#include <limits>

#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar acosh_in_f64(const ExpandContext& c) {
  const Scalar x = c[0], t = x - 1.0;
  const Scalar is_far = x > c.constant(0x1p60);
  const Scalar value = call("log1p", select(is_far, x, t + sqrt(t * (t + 2.0))));
  const Scalar shifted = value + select(is_far, c.constant(0x1.62e42fefa39efp-1), c.constant(0.0));
  return select(x < c.constant(1.0), c.constant(std::numeric_limits<double>::quiet_NaN()), shifted);
}

Scalar expand_acosh(const ExpandContext& c) { return computed_in_f64(c, acosh_in_f64); }

}  // namespace

OpDefinition op_acosh() {
  OpDefinition op = unary_op("acosh",
                             "Inverse hyperbolic cosine, not negative; NaN below 1.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_acosh;
  op.ulp_f32 = 0.501;
  op.ulp_f64 = 3;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value x = c.operand(0);
    return only(c.tangent() / unary("sqrt", (x - 1.0) * (x + 1.0)));
  };
  op.example = "acosh %x";
  return op;
}

}  // namespace hyperion::ir::ops

// asinh.cpp: inverse hyperbolic sine.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar asinh_in_f64(const ExpandContext& c) {
  const Scalar magnitude = abs(c[0]);
  const Scalar is_far = magnitude > c.constant(0x1p60);
  const Scalar square = magnitude * magnitude;
  const Scalar near = magnitude + square / (sqrt(square + 1.0) + 1.0);
  const Scalar value = call("log1p", select(is_far, magnitude, near));
  return copy_sign(value + select(is_far, c.constant(0x1.62e42fefa39efp-1), c.constant(0.0)), c[0]);
}

Scalar expand_asinh(const ExpandContext& c) { return computed_in_f64(c, asinh_in_f64); }

}  // namespace

OpDefinition op_asinh() {
  OpDefinition op = unary_op("asinh", "Inverse hyperbolic sine.", floating_dtype, "a floating-point type");
  op.expand = expand_asinh;
  op.ulp_f32 = 0.501;
  op.ulp_f64 = 3;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value x = c.operand(0);
    return only(c.tangent() / unary("sqrt", x * x + 1.0));
  };
  op.example = "asinh %x";
  return op;
}

}  // namespace hyperion::ir::ops

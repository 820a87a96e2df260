// atanh.cpp: inverse hyperbolic tangent.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar atanh_in_f64(const ExpandContext& c) {
  const Scalar magnitude = abs(c[0]);
  return copy_sign(call("log1p", magnitude * 2.0 / (1.0 - magnitude)) * 0.5, c[0]);
}

Scalar expand_atanh(const ExpandContext& c) { return computed_in_f64(c, atanh_in_f64); }

}  // namespace

OpDefinition op_atanh() {
  OpDefinition op = unary_op("atanh",
                             "Inverse hyperbolic tangent; infinite at -1 and 1, NaN beyond.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_atanh;
  op.ulp_f32 = 0.501;
  op.ulp_f64 = 3;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value x = c.operand(0);
    return only(c.tangent() / ((1.0 - x) * (x + 1.0)));
  };
  op.example = "atanh %x";
  return op;
}

}  // namespace hyperion::ir::ops

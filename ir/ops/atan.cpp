// atan.cpp: inverse tangent.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_atan(const ExpandContext& c) {
  const Scalar magnitude = abs(c[0]);
  return copy_sign(atan_of_quotient(magnitude, c.constant(1.0)), c[0]);
}

}  // namespace

OpDefinition op_atan() {
  OpDefinition op = unary_op("atan", "Inverse tangent in [-pi/2, pi/2].", floating_dtype, "a floating-point type");
  op.expand = expand_atan;
  op.ulp_f32 = 2;
  op.ulp_f64 = 2;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value x = c.operand(0);
    return only(c.tangent() / (x * x + 1.0));
  };
  op.example = "atan %x";
  return op;
}

}  // namespace hyperion::ir::ops

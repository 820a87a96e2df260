// cos.cpp: cosine of an angle in radians.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_cos(const ExpandContext& c) {
  const QuadrantReduction reduction = reduce_quadrant(c[0]);
  const SineAndCosine parts = sine_and_cosine_of_reduced(reduction);
  const Scalar one = integer(reduction.quadrant, 1);
  const Scalar value = select((reduction.quadrant & one) == one, parts.sine, parts.cosine);
  return flip_sign_by_quadrant(value, reduction.quadrant + one);  // negative in quadrants 1 and 2
}

}  // namespace

OpDefinition op_cos() {
  OpDefinition op = unary_op("cos",
                             "Cosine of x in radians, for every finite x; NaN at infinities.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_cos;
  op.ulp_f32 = 2;
  op.ulp_f64 = 1;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(-(c.tangent() * unary("sin", c.operand(0)))); };
  op.example = "cos %x";
  return op;
}

}  // namespace hyperion::ir::ops

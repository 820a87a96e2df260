// sin.cpp: sine of an angle in radians.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_sin(const ExpandContext& c) {
  const QuadrantReduction reduction = reduce_quadrant(c[0]);
  const SineAndCosine parts = sine_and_cosine_of_reduced(reduction);
  const Scalar one = integer(reduction.quadrant, 1);
  const Scalar value = select((reduction.quadrant & one) == one, parts.cosine, parts.sine);
  return select(c[0] == c.constant(0.0), c[0], flip_sign_by_quadrant(value, reduction.quadrant));
}

}  // namespace

OpDefinition op_sin() {
  OpDefinition op = unary_op("sin",
                             "Sine of x in radians, for every finite x; NaN at infinities.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_sin;
  op.ulp_f32 = 2;
  op.ulp_f64 = 1;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * unary("cos", c.operand(0))); };
  op.example = "sin %x";
  return op;
}

}  // namespace hyperion::ir::ops

// tan.cpp: tangent of an angle in radians.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_tan(const ExpandContext& c) {
  const QuadrantReduction reduction = reduce_quadrant(c[0]);
  const SineAndCosine parts = sine_and_cosine_of_reduced(reduction);
  const Scalar one = integer(reduction.quadrant, 1);
  const Scalar is_odd = (reduction.quadrant & one) == one;
  const Scalar value = select(is_odd, -parts.cosine, parts.sine) / select(is_odd, parts.sine, parts.cosine);
  return select(c[0] == c.constant(0.0), c[0], value);
}

}  // namespace

OpDefinition op_tan() {
  OpDefinition op = unary_op("tan",
                             "Tangent of x in radians, for every finite x; NaN at infinities.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_tan;
  op.ulp_f32 = 4;
  op.ulp_f64 = 2.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * (c.result() * c.result() + 1.0)); };
  op.example = "tan %x";
  return op;
}

}  // namespace hyperion::ir::ops

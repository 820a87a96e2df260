// asin.cpp: inverse sine.
//
// A polynomial up to 1/2; beyond, asin(x) = pi/2 - 2 asin(sqrt((1 - x)/2)).
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_asin(const ExpandContext& c) {
  const Scalar x = c[0], magnitude = abs(x);
  const ArcSine part = reduced_asin(magnitude);
  const bool f32 = c.is_f32();
  const Scalar high = c.constant(f32 ? 0x1.921fb6p0 : 0x1.921fb54442d18p0);
  const Scalar low = c.constant(f32 ? -0x1.777a5cp-25 : 0x1.1a62633145c07p-54);
  const Scalar outer = (high - part.root * 2.0) - (part.tail * 2.0 - low);
  return copy_sign(select(part.is_outer, outer, part.root + part.tail), x);
}

}  // namespace

OpDefinition op_asin() {
  OpDefinition op = unary_op("asin",
                             "Inverse sine in [-pi/2, pi/2]; NaN outside [-1, 1].",
                             floating_dtype, "a floating-point type");
  op.expand = expand_asin;
  op.ulp_f32 = 2.2;
  op.ulp_f64 = 2.2;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value x = c.operand(0);
    return only(c.tangent() / unary("sqrt", (1.0 - x) * (x + 1.0)));
  };
  op.example = "asin %x";
  return op;
}

}  // namespace hyperion::ir::ops

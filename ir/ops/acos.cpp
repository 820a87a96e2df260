// acos.cpp: inverse cosine.
//
// From the same polynomial as asin: acos(x) = pi/2 - asin(x) up to 1/2, and 2 asin(sqrt((1 - x)/2)) beyond.
#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_acos(const ExpandContext& c) {
  const Scalar x = c[0];
  const ArcSine part = reduced_asin(abs(x));
  const bool f32 = c.is_f32();
  const Scalar high = c.constant(f32 ? 0x1.921fb6p0 : 0x1.921fb54442d18p0);
  const Scalar low = c.constant(f32 ? -0x1.777a5cp-25 : 0x1.1a62633145c07p-54);
  const Scalar inner = high - (copy_sign(part.root + part.tail, x) - low);
  const Scalar left = (high * 2.0 - part.root * 2.0) - (part.tail * 2.0 - low * 2.0);
  const Scalar outer = select(x < c.constant(0.0), left, (part.root + part.tail) * 2.0);
  return select(part.is_outer, outer, inner);
}

}  // namespace

OpDefinition op_acos() {
  OpDefinition op = unary_op("acos",
                             "Inverse cosine in [0, pi]; NaN outside [-1, 1].",
                             floating_dtype, "a floating-point type");
  op.expand = expand_acos;
  op.ulp_f32 = 2;
  op.ulp_f64 = 1.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value x = c.operand(0);
    return only(-(c.tangent() / unary("sqrt", (1.0 - x) * (x + 1.0))));
  };
  op.example = "acos %x";
  return op;
}

}  // namespace hyperion::ir::ops

// atan2.cpp: the angle of the point (x, y).
#include <limits>

#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar atan2_in_f64(const ExpandContext& c) {
  const Scalar y = c[0], x = c[1], zero = c.constant(0.0), one = c.constant(1.0);
  const Scalar infinity = c.constant(std::numeric_limits<double>::infinity());
  Scalar rise = abs(y), run = abs(x);
  // Sums and differences of the sides must neither overflow nor lose bits below.
  const Scalar largest = max(rise, run);
  const Scalar scale = select(largest > c.constant(0x1p1000), c.constant(0x1p-100),
                              select(largest < c.constant(0x1p-900), c.constant(0x1p100), one));
  const Scalar both_zero = largest == zero, both_infinite = min(rise, run) == infinity;
  rise = select(both_infinite, one, select(both_zero, zero, rise * scale));
  run = select(both_infinite | both_zero, one, run * scale);
  const Scalar angle = atan_of_quotient(rise, run);
  const Scalar is_left = bitcast(x, DType::i64) < c.integer(DType::i64, 0);  // -0 too
  const Scalar turned = c.constant(0x1.921fb54442d18p1) - (angle - 0x1.1a62633145c07p-53);
  const Scalar result = copy_sign(select(is_left, turned, angle), y);
  return select(is_nan(x) | is_nan(y), x + y, result);
}

Scalar expand_atan2(const ExpandContext& c) { return computed_in_f64(c, atan2_in_f64); }

}  // namespace

OpDefinition op_atan2() {
  OpDefinition op = binary_op("atan2",
                              "The angle of the point (rhs, lhs) from the positive first axis, in [-pi, pi]; signs "
                              "of zeros count, as in C.",
                              floating_dtype, "a floating-point type");
  op.expand = expand_atan2;
  op.ulp_f32 = 1;
  op.ulp_f64 = 2;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) {
    const Value y = c.operand(0), x = c.operand(1);
    Value numerator;
    if (c.has_tangent(0)) numerator = c.tangent(0) * x;
    if (c.has_tangent(1)) numerator = c.builder.accumulate(numerator, -(c.tangent(1) * y));
    return only(numerator / (x * x + y * y));
  };
  op.example = "atan2 %y, %x";
  return op;
}

}  // namespace hyperion::ir::ops

// log1p.cpp: natural logarithm of 1 + x.
#include <limits>

#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_log1p(const ExpandContext& c) {
  const Scalar x = c[0], one = c.constant(1.0);
  const Scalar infinity = c.constant(std::numeric_limits<double>::infinity());
  const Scalar nan = c.constant(std::numeric_limits<double>::quiet_NaN());
  const Scalar sum = x + 1.0;
  const Scalar lost = select(abs(x) < one, x - (sum - 1.0), 1.0 - (sum - x));
  LogReduction reduction = reduce_log(sum);
  // What the sum lost joins f, scaled by 2^-e.
  const bool f32 = c.is_f32();
  const Scalar e = cast(reduction.e, f32 ? DType::i32 : DType::i64);
  const Scalar exponent = max(integer(e, f32 ? 127 : 1023) - e, integer(e, 0));  // huge sums lose nothing that matters
  const Scalar scale = bitcast(exponent << (f32 ? 23 : 52), c.dtype);
  reduction.f = fma(lost, scale, reduction.f);
  const Scalar y = select(x < infinity, log_of_reduced(reduction), x);
  const Scalar result = select(sum > c.constant(0.0), y, select(x == -one, -infinity, nan));
  return select(abs(x) < c.constant(f32 ? 0x1p-25 : 0x1p-54), x, result);
}

}  // namespace

OpDefinition op_log1p() {
  OpDefinition op = unary_op("log1p",
                             "Natural logarithm of 1 + x, accurate near 0; -infinity at -1, NaN below.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_log1p;
  op.ulp_f32 = 1.5;
  op.ulp_f64 = 1.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() / (c.operand(0) + 1.0)); };
  op.example = "log1p %x";
  return op;
}

}  // namespace hyperion::ir::ops

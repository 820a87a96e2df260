// log.cpp: natural logarithm.
#include <limits>

#include "ir/logic/scalar_reduction.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

Scalar expand_log(const ExpandContext& c) {
  const Scalar x = c[0], zero = c.constant(0.0);
  const Scalar infinity = c.constant(std::numeric_limits<double>::infinity());
  const Scalar nan = c.constant(std::numeric_limits<double>::quiet_NaN());
  const Scalar y = select(x < infinity, log_of_reduced(reduce_log(x)), x);
  return select(x > zero, y, select(x == zero, -infinity, nan));
}

}  // namespace

OpDefinition op_log() {
  OpDefinition op = unary_op("log",
                             "Natural logarithm; -infinity at zero, NaN below.",
                             floating_dtype, "a floating-point type");
  op.expand = expand_log;
  op.ulp_f32 = 1;
  op.ulp_f64 = 1;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() / c.operand(0)); };
  op.example = "log %x";
  return op;
}

}  // namespace hyperion::ir::ops

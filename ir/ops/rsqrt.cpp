// rsqrt.cpp: one over the square root.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_rsqrt() {
  OpDefinition op = unary_op("rsqrt", "1 / sqrt(x), in two roundings; infinite at zero with the zero's sign, NaN below.",
                             floating_dtype, "a floating-point type");
  op.expand = [](const ExpandContext& c) { return 1.0 / sqrt(c[0]); };
  op.ulp_f32 = 1.5;
  op.ulp_f64 = 1.5;
  op.is_expensive = true;
  op.jvp = [](JvpContext& c) { return only(c.tangent() * (c.result() / c.operand(0) * -0.5)); };
  op.example = "rsqrt %x";
  return op;
}

}  // namespace hyperion::ir::ops

// sign.cpp: -1, 0 or 1 by sign.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

// Zeros and NaN are their own sign.
Scalar expand_sign(const ExpandContext& c) {
  const Scalar x = c[0], zero = c.constant(0.0), one = c.constant(1.0);
  const Scalar above = select(x > zero, one, x);
  return is_unsigned_integer(c.dtype) ? above : select(x < zero, -one, above);
}

}  // namespace

OpDefinition op_sign() {
  OpDefinition op = unary_op("sign", "1 above zero, -1 below; zeros keep their sign, and NaN stays NaN.", numeric_dtype,
                             "a number");
  op.expand = expand_sign;
  op.is_smooth = false;
  op.example = "sign %x";
  return op;
}

}  // namespace hyperion::ir::ops

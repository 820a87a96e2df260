// elu.cpp: x where positive, else alpha * (e^x - 1).
//
// The exponential is taken of 0 where x is positive: a derivative through the side that is not chosen is then 0 times a
// number, never 0 times infinity.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_elu() {
  OpDefinition op = composite_map("elu", "x where positive, else alpha * (e^x - 1).", [](Value x, const Attributes& attributes) {
    Builder& b = *x.builder;
    const Value zero = b.zeros(x.type());
    const Value positive = b.compare(x, zero, "gt");
    return b.select(positive, x, unary("expm1", b.select(positive, zero, x)) * attributes.real("alpha"));
  });
  op.attributes = {{"alpha", AttributeKind::real, "minus the limit for small x", AttributeValue(1.0)}};
  op.is_smooth = false;
  op.example = "elu %x {alpha = 1}";
  return op;
}

}  // namespace hyperion::ir::ops

// leaky_relu.cpp: x where positive, else a small multiple of x.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_leaky_relu() {
  OpDefinition op = composite_map("leaky_relu", "x where positive, else slope * x.", [](Value x, const Attributes& attributes) {
    Builder& b = *x.builder;
    return b.select(b.compare(x, b.zeros(x.type()), "gt"), x, x * attributes.real("slope"));
  });
  op.attributes = {{"slope", AttributeKind::real, "the factor where x is not positive", AttributeValue(0.01)}};
  op.is_smooth = false;
  op.example = "leaky_relu %x {slope = 0.01}";
  return op;
}

}  // namespace hyperion::ir::ops

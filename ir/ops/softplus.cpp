// softplus.cpp: log(1 + e^(beta x)) / beta, and x itself where beta x exceeds the threshold.
//
// The exponential is taken of 0 where x itself is chosen: see elu.cpp.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_softplus() {
  OpDefinition op = composite_map("softplus", "log(1 + e^(beta x)) / beta, linear where beta x > threshold.", [](Value x, const Attributes& attributes) {
    Builder& b = *x.builder;
    const double beta = attributes.real("beta");
    const Value scaled = x * beta;
    const Value linear = b.compare(scaled, b.constant(x.type(), attributes.real("threshold")), "gt");
    const Value soft = unary("log1p", unary("exp", b.select(linear, b.zeros(x.type()), scaled))) / beta;
    return b.select(linear, x, soft);
  });
  op.attributes = {{"beta", AttributeKind::real, "how sharp the bend is", AttributeValue(1.0)},
                   {"threshold", AttributeKind::real, "where the linear part begins", AttributeValue(20.0)}};
  op.example = "softplus %x {beta = 1, threshold = 20}";
  return op;
}

}  // namespace hyperion::ir::ops

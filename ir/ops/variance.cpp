// variance.cpp: the mean squared distance from the mean, in two passes.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {
namespace {

Value variance(Value x, const Integers& axes, const Attributes& attributes) {
  const Value distance = x - spread(mean_over(x, axes), x.type(), axes);
  const Value sum = sum_over(distance * distance, axes);
  const Value count = count_along(*x.builder, x.type(), axes, x.dtype()) - attributes.real("correction");
  return sum / everywhere(count, sum);
}

}  // namespace

OpDefinition op_variance() {
  OpDefinition op = composite_reduction("variance", "The sum of squared distances from the mean, over count - correction.", variance);
  op.attributes = {op.attributes[0],
                   {"correction", AttributeKind::real, "0: of a population, 1: unbiased from a sample", AttributeValue(0.0)}};
  op.example = "variance %x {axes = [1], correction = 1}";
  return op;
}

}  // namespace hyperion::ir::ops

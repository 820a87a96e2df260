// mean.cpp: the sum divided by the number of elements; 0/0 = NaN over nothing.
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_mean() {
  OpDefinition op = composite_reduction("mean", "The mean along `axes`.", [](Value x, const Integers& axes, const Attributes&) { return mean_over(x, axes); });
  op.example = "mean %x {axes = [1]}";
  return op;
}

}  // namespace hyperion::ir::ops

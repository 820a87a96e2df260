// stop_gradient.cpp: the identity, with derivative zero.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_stop_gradient() {
  OpDefinition op = unary_op("stop_gradient", "Its operand, whose derivative counts as zero.",
                             [](DType) { return true; }, "an element type");
  op.constraints.clear();  // every element type is accepted
  op.group = OpGroup::structure;
  op.expand = [](const ExpandContext& c) { return c[0]; };
  op.expands_any_dtype = true;
  op.is_smooth = false;
  op.example = "stop_gradient %x";
  return op;
}

}  // namespace hyperion::ir::ops

// fma.cpp: x * y + z, rounded once.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_fma() {
  OpDefinition op = elementwise("fma", "x * y + z, rounded once; integers wrap.",
                                {{.name = "x", .doc = "the first factor"},
                                 {.name = "y", .doc = "the second factor"},
                                 {.name = "z", .doc = "the addend"}},
                                numeric_dtype, "a number");
  op.group = OpGroup::typed;
  op.primitive = Primitive::fma;
  op.jvp = [](JvpContext& c) {
    Value tangent = c.tangent(2);
    if (c.has_tangent(0)) tangent = c.builder.accumulate(c.tangent(0) * c.operand(1), tangent);
    if (c.has_tangent(1)) tangent = c.builder.accumulate(c.operand(0) * c.tangent(1), tangent);
    return only(tangent);
  };
  op.example = "fma %x, %y, %z";
  return op;
}

}  // namespace hyperion::ir::ops

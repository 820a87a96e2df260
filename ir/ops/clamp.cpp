// clamp.cpp: x moved into [low, high]: min(max(x, low), high), so that high wins where the bounds cross.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_clamp() {
  OpDefinition op = elementwise("clamp", "min(max(x, low), high).",
                                {{.name = "x", .doc = "the argument"},
                                 {.name = "low", .doc = "the smallest result"},
                                 {.name = "high", .doc = "the largest result"}},
                                numeric_dtype, "a number");
  op.group = OpGroup::typed;
  op.expand = [](const ExpandContext& c) { return min(max(c[0], c[1]), c[2]); };
  op.is_smooth = false;
  // Whoever the result is equal to gets all of the derivative, first x, then high, then low.
  op.jvp = [](JvpContext& c) {
    Builder& b = c.builder;
    const Value zero = b.zeros(c.result().type());
    const auto tangent = [&](int k) { return c.has_tangent(k) ? c.tangent(k) : zero; };
    const Value is_high = b.compare(c.result(), c.operand(2), "eq");
    const Value bound = c.has_tangent(1) || c.has_tangent(2) ? b.select(is_high, tangent(2), tangent(1)) : zero;
    return only(b.select(b.compare(c.result(), c.operand(0), "eq"), tangent(0), bound));
  };
  op.example = "clamp %x, %low, %high";
  return op;
}

}  // namespace hyperion::ir::ops

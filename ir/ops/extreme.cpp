#include "ir/ops/extreme.hpp"

namespace hyperion::ir::ops {

OpDefinition extreme_op(std::string_view name, std::string_view doc, Primitive primitive,
                        std::string_view direction, std::string_view example) {
  OpDefinition op = binary_op(name, doc, any_real_dtype, "a real type");
  op.primitive = primitive;
  op.is_commutative = true;
  op.is_smooth = false;
  // At a tie both operands get half, as the mean of the two one-sided derivatives.
  op.jvp = [direction](JvpContext& c) {
    const Value x = c.operand(0), y = c.operand(1);
    const Value half = c.builder.constant(x.type(), 0.5);
    const Value one = c.builder.ones(x.type()), zero = c.builder.zeros(x.type());
    const Value tie = c.builder.compare(x, y, "eq");
    const Value chosen = c.builder.compare(x, y, direction);
    const Value weight = c.builder.select(tie, half, c.builder.select(chosen, one, zero));
    Value tangent;
    if (c.has_tangent(0)) tangent = c.tangent(0) * weight;
    if (c.has_tangent(1)) tangent = c.builder.accumulate(tangent, c.tangent(1) * (1.0 - weight));
    return only(tangent);
  };
  op.example = example;
  return op;
}

}  // namespace hyperion::ir::ops

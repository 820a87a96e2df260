// max_pool.cpp: the largest element of each window. Padding counts as minus infinity, so it never wins.
#include "ir/ops/pooling.hpp"

namespace hyperion::ir::ops {

OpDefinition op_max_pool() {
  OpDefinition op = composite("max_pool", "The largest element of each window over the spatial axes.", {{.name = "x", .doc = "a batch of images"}});
  op.attributes = pooling_attributes();
  op.constraints = pooling_constraints();
  op.infer = infer_pooling;
  op.is_smooth = false;
  op.decompose = [](DecomposeContext& c) {
    Builder& b = c.builder;
    const Value x = c.operand(0);
    const std::uint64_t bits = identity_bits(Monoid::maximum, x.dtype());
    const auto lowest = std::as_bytes(std::span(&bits, 1)).first(byte_size(x.dtype()));
    const Value padding = b.constant(Literal::splat(Type::scalar(x.dtype()), lowest));
    return only(reduce_windows(x, padding, Monoid::maximum, c.attributes));
  };
  op.example = "max_pool %x {dilations = [1, 1], padding_high = [0, 0], padding_low = [0, 0], strides = [2, 2], window = [2, 2]}";
  return op;
}

}  // namespace hyperion::ir::ops

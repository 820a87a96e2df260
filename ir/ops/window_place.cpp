#include "ir/ops/window_place.hpp"

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

bool fits(Dim size, Dim axis) {
  const Dim rest = axis - size;
  return rest.is_static() && rest.value() >= 0 && (!size.is_static() || size.value() >= 0);
}

Result<> check_starts(const InferContext& c, int rank, int first) {
  const int count = static_cast<int>(c.operands.size()) - first;
  if (count != rank) return c.fail("c1", format("{} starts for an operand of rank {}", count, rank), {0});
  for (int axis = 0; axis < rank; ++axis) {
    const Type start = c.operands[at(first + axis)];
    if (start.rank() != 0 || (start.dtype() != DType::i32 && start.dtype() != DType::i64)) {
      return c.fail("c2", format("the start of axis {} is {}, not an i32 or i64 scalar", axis, start.text()), {first + axis});
    }
  }
  return {};
}

TermId window_start(const DefineContext& c, int first, std::size_t axis, Type x, Type window) {
  const int k = static_cast<int>(axis);
  const Dim last = x.dim(k) - window.dim(k);
  return clamped_index(c.pool, c.access(first + k, {}), c.pool.index(last));
}

}  // namespace hyperion::ir::ops

// window_place.hpp: what dynamic_slice and dynamic_update_slice share: a window at starts that are operands.
#pragma once

#include "ir/ops/indexed.hpp"

namespace hyperion::ir::ops {

// Whether a window of `size` fits into an axis; symbolic sizes only if the difference is a known number.
bool fits(Dim size, Dim axis);
// (C1) one start per axis, from operand `first`; (C2) i32 or i64 scalars.
Result<> check_starts(const InferContext& c, int rank, int first);
// The start along `axis`, clamped so that `window` fits into `x`.
TermId window_start(const DefineContext& c, int first, std::size_t axis, Type x, Type window);

}  // namespace hyperion::ir::ops

// windows.hpp: what sliding_window and overlap_add share: where windows stand on an axis.
//
// Window number i of an axis starts at i * stride and reads size elements, dilation apart. Windows that would read
// beyond the end do not exist.
#pragma once

#include "ir/ops/shapes.hpp"

namespace hyperion::ir::ops {

struct Windows {
  const Integers& axes;
  const Integers& sizes;
  const Integers& strides;
  const Integers& dilations;

  explicit Windows(const Attributes& attributes);
  std::size_t count() const { return axes.size(); }
  // How many windows stand on an axis of this size. A symbolic size works with stride 1.
  std::optional<Dim> windows_on(Dim size, std::size_t k) const;
};

std::vector<AttributeSpec> window_attributes();
std::vector<ConstraintSpec> window_constraints();
// (C1) one entry per axis in each list; (C2) distinct axes of a tensor of this rank; (C3) positive numbers.
Result<> check_windows(const InferContext& c, int rank);
// The dimensions of windows on a tensor of these dimensions, (C4) and (C5).
Result<Dims> windowed_dims(const InferContext& c, const Dims& dims);

}  // namespace hyperion::ir::ops

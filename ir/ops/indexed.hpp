// indexed.hpp: what gather and scatter share: where the axes of x, indices and slices stand.
//
//   x       [batch..., before..., n, after...]          n: the indexed axis
//   indices [batch..., i...]
//   slices  [batch..., before..., i..., after...]       gather's result, scatter's updates
#pragma once

#include "ir/ops/shapes.hpp"

namespace hyperion::ir::ops {

struct IndexedAxes {
  int axis;         // of x
  int batch;        // how many leading axes x and indices share
  int index_rank;   // axes of indices beyond the batch

  IndexedAxes(const Attributes& attributes, Type indices);

  Type slices_type(Type x, Type indices) const;
  // Coordinates of a slice element -> coordinates of its index, and of the element of x at index `chosen`.
  std::vector<TermId> of_index(std::span<const TermId> slice) const;
  std::vector<TermId> of_x(std::span<const TermId> slice, TermId chosen) const;
  // indices-shaped `value`, over the axes before and after: shaped like the slices.
  Value over_slices(Value value, Type slices) const;
};

// (C1) integer indices; (C2) axis within x; (C3) batch axes agree. The slices type, or a report.
Result<Type> infer_slices(const InferContext& c, Type x, Type indices);
inline std::vector<ConstraintSpec> indexed_constraints() {
  return {{"c1", "(C1) indices are integers"},
          {"c2", "(C2) axis is an axis of x"},
          {"c3", "(C3) the first `batch` dimensions of x and indices are equal, and come before axis"},
          {"c4", "(C4) the slices have rank at most 8"}};
}
inline std::vector<AttributeSpec> indexed_attributes() {
  return {{"axis", AttributeKind::integer, "the axis of x that indices select along", std::nullopt},
          {"batch", AttributeKind::integer, "how many leading axes x and indices share", AttributeValue(std::int64_t{0})}};
}

// Integer indices as i64, clamped to [0, last].
Value clamp_indices(Value indices, std::int64_t last);
// The attributes of the same op with the new batch axis at the front of its operands; `shared`: indices have it too.
Attributes with_batch_axis(const Attributes& attributes, bool shared);

}  // namespace hyperion::ir::ops

#include "ir/ops/indexed.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

IndexedAxes::IndexedAxes(const Attributes& attributes, Type indices)
    : axis(static_cast<int>(attributes.integer("axis"))),
      batch(static_cast<int>(attributes.integer("batch"))),
      index_rank(indices.rank() - batch) {}

Type IndexedAxes::slices_type(Type x, Type indices) const {
  Dims dims = dims_of(x);
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, indices.dims().begin() + batch, indices.dims().end());
  return x.with_dims(dims);
}

std::vector<TermId> IndexedAxes::of_index(std::span<const TermId> slice) const {
  std::vector<TermId> coordinates(slice.begin(), slice.begin() + batch);
  coordinates.insert(coordinates.end(), slice.begin() + axis, slice.begin() + axis + index_rank);
  return coordinates;
}

std::vector<TermId> IndexedAxes::of_x(std::span<const TermId> slice, TermId chosen) const {
  std::vector<TermId> coordinates(slice.begin(), slice.end());
  coordinates.erase(coordinates.begin() + axis, coordinates.begin() + axis + index_rank);
  coordinates.insert(coordinates.begin() + axis, chosen);
  return coordinates;
}

Value IndexedAxes::over_slices(Value value, Type slices) const {
  return value.builder->broadcast(value, slices.dims(), joined(counting(0, batch), counting(axis, index_rank)));
}

Result<Type> infer_slices(const InferContext& c, Type x, Type indices) {
  const std::int64_t axis = c.attributes.integer("axis"), batch = c.attributes.integer("batch");
  if (!is_integer(indices.dtype())) {
    return c.fail("c1", format("indices are {}, not integers", dtype_name(indices.dtype())), {1});
  }
  if (axis < 0 || axis >= x.rank()) return c.fail("c2", format("axis {} is not an axis of {}", axis, x.text()), {0});
  if (batch < 0 || batch > axis || batch > indices.rank() ||
      !std::ranges::equal(x.dims().first(at(batch)), indices.dims().first(at(batch)))) {
    return c.fail("c3", format("{} and {} do not share {} batch axes before axis {}", x.text(), indices.text(), batch, axis),
                  {0, 1});
  }
  if (x.rank() - 1 + indices.rank() - batch > kMaxRank) {
    return c.fail("c4", format("slices would have rank {}", x.rank() - 1 + indices.rank() - batch), {0, 1});
  }
  return IndexedAxes(c.attributes, indices).slices_type(x, indices);
}

Value clamp_indices(Value indices, std::int64_t last) {
  Builder& b = *indices.builder;
  // u64 is clamped from above before the cast could wrap it; the other types go through i64 unharmed.
  if (indices.dtype() == DType::u64) indices = b.apply("min", {indices, integer_like(indices, last)});
  const Value wide = b.cast(indices, DType::i64);
  return b.apply("max", {b.apply("min", {wide, integer_like(wide, last)}), integer_like(wide, 0)});
}

Attributes with_batch_axis(const Attributes& attributes, bool shared) {
  Attributes batched = attributes;
  batched.set("axis", attributes.integer("axis") + 1);
  if (shared) batched.set("batch", attributes.integer("batch") + 1);
  return batched;
}

}  // namespace hyperion::ir::ops

// shapes.hpp: small operations on axes and dimensions that the op files share.
#pragma once

#include <span>
#include <vector>

#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

// Every rank, axis or number of axes counts from 0; conversions between the signed and unsigned integers live here.
inline std::size_t at(std::int64_t axis) { return static_cast<std::size_t>(axis); }

// Rank at most 8, no negative dimension.
bool is_shape(std::span<const Dim> dims);
Dims dims_of(Type type);
// count numbers from begin: begin, begin + 1, ...
Integers counting(std::int64_t begin, std::int64_t count);
// The axes of a tensor that are not listed, in order.
Integers other_axes(const Integers& axes, int rank);
bool contains(const Integers& list, std::int64_t number);
Integers joined(const Integers& a, const Integers& b);
Integers incremented(Integers list);
Integers inserted(Integers list, std::int64_t position, std::int64_t number);
// The permutation that undoes `permutation`.
Integers inverse(const Integers& permutation);
Dims inserted(Dims dims, std::int64_t position, Dim dim);
// The dimensions of `type` at `axes`, in the order listed.
Dims gathered(Type type, const Integers& axes);

// ---- terms ----------------------------------------------------------------------------------------------------

std::vector<TermId> index_terms(TermPool& pool, std::span<const VariableId> variables);
// The integer element as an index into an axis of `size`, clamped to [0, size - 1].
TermId clamped_index(TermPool& pool, TermId element, TermId last);
// The integer element as an index, unclamped: u64 beyond 2^63 is negative, hence out of every range.
TermId plain_index(TermPool& pool, TermId element);
// Row-major position of `indices` in the static `dims`.
TermId linear_index(TermPool& pool, std::span<const Dim> dims, std::span<const TermId> indices);

// ---- values ---------------------------------------------------------------------------------------------------

Value move_axis(Value x, int from, int to);
// x[..., start : limit, ...] along one axis; all of the other axes.
Value slice_axis(Value x, int axis, std::int64_t start, std::int64_t limit);
// The tensor of `shape` whose elements are their own index along `axis`.
Value iota(Builder& b, Type type, int axis);
// `x` with axis k of `x` at axis dims[k] of `like`.
Value broadcast_into(Value x, Type like, Integers dims);
// Elementwise number of x's dtype, exact for integers.
Value integer_like(Value x, std::int64_t value);
// `reduced` back over the axes that a reduction of a tensor of type `like` removed.
Value spread(Value reduced, Type like, const Integers& axes);

}  // namespace hyperion::ir::ops

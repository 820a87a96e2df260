#include "ir/ops/shapes.hpp"

#include <algorithm>
#include <numeric>

namespace hyperion::ir::ops {

bool is_shape(std::span<const Dim> dims) {
  return dims.size() <= kMaxRank &&
         std::ranges::none_of(dims, [](Dim d) { return d.is_static() && d.value() < 0; });
}

Dims dims_of(Type type) { return Dims(type.dims().begin(), type.dims().end()); }

Integers counting(std::int64_t begin, std::int64_t count) {
  Integers numbers(at(count));
  std::iota(numbers.begin(), numbers.end(), begin);
  return numbers;
}

bool contains(const Integers& list, std::int64_t number) {
  return std::ranges::find(list, number) != list.end();
}

Integers other_axes(const Integers& axes, int rank) {
  Integers others;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (!contains(axes, axis)) others.push_back(axis);
  }
  return others;
}

Integers joined(const Integers& a, const Integers& b) {
  Integers all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

Integers incremented(Integers list) {
  for (std::int64_t& number : list) ++number;
  return list;
}

Integers inserted(Integers list, std::int64_t position, std::int64_t number) {
  list.insert(list.begin() + position, number);
  return list;
}

Dims inserted(Dims dims, std::int64_t position, Dim dim) {
  dims.insert(dims.begin() + position, dim);
  return dims;
}

Integers inverse(const Integers& permutation) {
  Integers result(permutation.size());
  for (std::size_t k = 0; k < permutation.size(); ++k) {
    result[at(permutation[k])] = static_cast<std::int64_t>(k);
  }
  return result;
}

Dims gathered(Type type, const Integers& axes) {
  Dims dims;
  for (std::int64_t axis : axes) dims.push_back(type.dim(static_cast<int>(axis)));
  return dims;
}

std::vector<TermId> index_terms(TermPool& pool, std::span<const VariableId> variables) {
  std::vector<TermId> terms;
  for (VariableId variable : variables) terms.push_back(pool.index(variable));
  return terms;
}

TermId plain_index(TermPool& pool, TermId element) {
  return pool.index_of(cast(Scalar{&pool, element}, DType::i64).id);
}

TermId clamped_index(TermPool& pool, TermId element, TermId last) {
  Scalar index{&pool, element};
  // Clamped from above as u64 first: the cast to i64 would wrap to the other end.
  if (index.dtype() == DType::u64) index = min(index, Scalar{&pool, pool.from_index(last, DType::u64)});
  index = min(cast(index, DType::i64), Scalar{&pool, pool.from_index(last, DType::i64)});
  return pool.index_of(max(index, Scalar{&pool, pool.literal_integer(DType::i64, 0)}).id);
}

TermId linear_index(TermPool& pool, std::span<const Dim> dims, std::span<const TermId> indices) {
  TermId position = pool.index(Dim(0));
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    position = pool.add(pool.scale(position, dims[axis].value()), indices[axis]);
  }
  return position;
}

Value move_axis(Value x, int from, int to) {
  Integers permutation = counting(0, x.rank());
  permutation.erase(permutation.begin() + from);
  permutation.insert(permutation.begin() + to, from);
  return x.builder->transpose(x, std::move(permutation));
}

Value slice_axis(Value x, int axis, std::int64_t start, std::int64_t limit) {
  Integers starts(at(x.rank()), 0), limits;
  for (Dim dim : x.type().dims()) limits.push_back(dim.is_static() ? dim.value() : -1);
  if (start == 0 && limit == limits[at(axis)]) return x;
  starts[at(axis)] = start;
  limits[at(axis)] = limit;
  return x.builder->slice(x, std::move(starts), std::move(limits));
}

Value iota(Builder& b, Type type, int axis) {
  return b.apply("iota", std::initializer_list<Value>{},
                 {{"shape", dims_of(type)}, {"dtype", type.dtype()}, {"axis", std::int64_t{axis}}});
}

Value broadcast_into(Value x, Type like, Integers dims) {
  return x.builder->broadcast(x, like.dims(), std::move(dims));
}

Value integer_like(Value x, std::int64_t value) {
  return x.builder->constant(Literal::splat_integer(x.type(), value));
}

Value spread(Value reduced, Type like, const Integers& axes) {
  return broadcast_into(reduced, like, other_axes(axes, like.rank()));
}

}  // namespace hyperion::ir::ops

// What becomes of shapes and axes when a transposition passes another view.
#include <algorithm>
#include <numeric>

#include "passes/simplify/rule_arguments.hpp"
#include "passes/simplify/rule_view_functions.hpp"

namespace hyperion::passes {
namespace {

using ir::Dims;
using ir::Integers;
using Arguments = std::span<const RuleArgument>;

// Not in order yet.
std::optional<Integers> dims_seen_through(Arguments a) {
  const Integers* dims = attribute<Integers>(a[0]);
  const Integers* permutation = attribute<Integers>(a[1]);
  if (dims == nullptr || permutation == nullptr) return std::nullopt;
  const Integers inverse = inverted(*permutation);
  Integers out;
  for (std::int64_t dim : *dims) out.push_back(inverse[at(dim)]);
  return out;
}

struct Regrouping {
  Dims shape;
  Integers permutation;
};
std::optional<Regrouping> regroup(Arguments a) {
  const Integers* permutation = attribute<Integers>(a[0]);
  const Dims* shape = attribute<Dims>(a[1]);
  const ValueFacts* x = std::get_if<ValueFacts>(&a[2]);
  if (permutation == nullptr || shape == nullptr || x == nullptr || !x->type.is_static()) return std::nullopt;
  if (!std::ranges::all_of(*shape, [](Dim dim) { return dim.is_static(); })) return std::nullopt;
  // Runs of axes before and after the reshape that hold the same elements; a run stands where its first axis is in x.
  struct Run {
    std::int64_t first_in_x = 0;
    std::size_t begin = 0, end = 0;  // of the new shape
  };
  std::vector<Run> runs;
  std::size_t from = 0, to = 0;
  while (from < permutation->size() || to < shape->size()) {
    if (from == permutation->size() || to == shape->size()) return std::nullopt;  // axes of size 1 are left over
    Run run{(*permutation)[from], to, to + 1};
    std::int64_t old_count = x->type.dim(static_cast<int>((*permutation)[from])).value(), new_count = (*shape)[to].value();
    ++from, ++to;
    while (old_count != new_count) {
      if (old_count < new_count) {
        if (from == permutation->size() || (*permutation)[from] != (*permutation)[from - 1] + 1) return std::nullopt;
        old_count *= x->type.dim(static_cast<int>((*permutation)[from++])).value();
      } else {
        if (to == shape->size()) return std::nullopt;
        new_count *= (*shape)[to++].value();
      }
    }
    run.end = to;
    runs.push_back(run);
  }
  std::vector<Run> in_order = runs;
  std::ranges::sort(in_order, {}, &Run::first_in_x);
  Regrouping out;
  out.permutation.resize(shape->size());
  for (const Run& run : in_order) {
    for (std::size_t axis = run.begin; axis < run.end; ++axis) {
      out.permutation[axis] = std::ssize(out.shape);
      out.shape.push_back((*shape)[axis]);
    }
  }
  return out;
}

}  // namespace

std::optional<ir::AttributeValue> transposed_dims(std::span<const RuleArgument> a) {
  std::optional<Integers> dims = dims_seen_through(a);
  if (!dims) return std::nullopt;
  std::ranges::sort(*dims);
  return *dims;
}

std::optional<ir::AttributeValue> transposed_order(std::span<const RuleArgument> a) {
  const std::optional<Integers> dims = dims_seen_through(a);
  if (!dims) return std::nullopt;
  Integers order(dims->size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::sort(order, {}, [&](std::int64_t k) { return (*dims)[at(k)]; });
  return order;
}

std::optional<ir::AttributeValue> regrouped_shape(std::span<const RuleArgument> a) {
  const std::optional<Regrouping> made = regroup(a);
  if (!made) return std::nullopt;
  return made->shape;
}

std::optional<ir::AttributeValue> regrouped_permutation(std::span<const RuleArgument> a) {
  const std::optional<Regrouping> made = regroup(a);
  if (!made) return std::nullopt;
  return made->permutation;
}

}  // namespace hyperion::passes

#include "passes/simplify/rule_functions.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "passes/simplify/rule_arguments.hpp"
#include "passes/simplify/rule_view_functions.hpp"

namespace hyperion::passes {
namespace {

using ir::AttributeValue;
using ir::Dims;
using ir::Integers;
using Arguments = std::span<const RuleArgument>;
using Made = std::optional<AttributeValue>;

// ---- reading arguments; null where the argument is of another kind ------------------------------------------------

const Integers* integers(const RuleArgument& argument) { return attribute<Integers>(argument); }
const ValueFacts* facts(const RuleArgument& argument) { return std::get_if<ValueFacts>(&argument); }

bool contains(const Integers& list, std::int64_t number) { return std::ranges::find(list, number) != list.end(); }

// ---- lists -----------------------------------------------------------------------------------------------------------

template <class List>
Made gather_from(const List& list, const Integers& indices) {
  List out;
  for (std::int64_t index : indices) {
    if (index < 0 || index >= std::ssize(list)) return std::nullopt;
    out.push_back(list[at(index)]);
  }
  return out;
}

Made gather(Arguments a) {
  const Integers* indices = integers(a[1]);
  if (indices == nullptr) return std::nullopt;
  if (const Integers* list = integers(a[0])) return gather_from(*list, *indices);
  if (const Dims* dims = attribute<Dims>(a[0])) return gather_from(*dims, *indices);
  return std::nullopt;
}

Made inverse(Arguments a) {
  const Integers* permutation = integers(a[0]);
  if (permutation == nullptr) return std::nullopt;
  return inverted(*permutation);
}

template <class Combine>
Made combined(Arguments a, Combine combine) {
  const Integers* x = integers(a[0]);
  const Integers* y = integers(a[1]);
  if (x == nullptr || y == nullptr || x->size() != y->size()) return std::nullopt;
  Integers out;
  for (std::size_t k = 0; k < x->size(); ++k) out.push_back(combine((*x)[k], (*y)[k]));
  return out;
}
Made plus(Arguments a) { return combined(a, std::plus<>()); }
Made times(Arguments a) { return combined(a, std::multiplies<>()); }

Made is_identity(Arguments a) {
  const Integers* p = integers(a[0]);
  if (p == nullptr) return std::nullopt;
  for (std::size_t k = 0; k < p->size(); ++k) {
    if ((*p)[k] != static_cast<std::int64_t>(k)) return false;
  }
  return true;
}
Made is_increasing(Arguments a) {
  const Integers* list = integers(a[0]);
  if (list == nullptr) return std::nullopt;
  return std::ranges::is_sorted(*list);
}
Made is_all_zero(Arguments a) {
  const Integers* list = integers(a[0]);
  if (list == nullptr) return std::nullopt;
  return std::ranges::all_of(*list, [](std::int64_t n) { return n == 0; });
}
Made is_non_negative(Arguments a) {
  const Integers* list = integers(a[0]);
  if (list == nullptr) return std::nullopt;
  return std::ranges::all_of(*list, [](std::int64_t n) { return n >= 0; });
}

// ---- types and constants ------------------------------------------------------------------------------------------

Made shape_of(Arguments a) {
  const ValueFacts* x = facts(a[0]);
  if (x == nullptr) return std::nullopt;
  return Dims(x->type.dims().begin(), x->type.dims().end());
}

template <class Claim>
Made claim(const RuleArgument& argument, Claim holds) {
  const ValueFacts* x = facts(argument);
  if (x == nullptr) return std::nullopt;
  return holds(*x);
}
Made is_floating_value(Arguments a) { return claim(a[0], [](auto& x) { return is_floating(x.type.dtype()); }); }
Made is_boolean_value(Arguments a) { return claim(a[0], [](auto& x) { return is_boolean(x.type.dtype()); }); }
Made is_signed_value(Arguments a) {
  return claim(a[0], [](auto& x) { return is_floating(x.type.dtype()) || is_signed_integer(x.type.dtype()); });
}
Made is_constant(Arguments a) { return claim(a[0], [](auto& x) { return x.constant != nullptr; }); }
Made is_splat(Arguments a) { return claim(a[0], [](auto& x) { return x.constant != nullptr && x.constant->is_splat(); }); }

template <class Relation>
Made relation(Arguments a, Relation holds) {
  const ValueFacts* x = facts(a[0]);
  const ValueFacts* y = facts(a[1]);
  if (x == nullptr || y == nullptr) return std::nullopt;
  return holds(x->type, y->type);
}
Made is_same_type(Arguments a) { return relation(a, [](Type x, Type y) { return x == y; }); }
Made is_same_shape(Arguments a) {
  return relation(a, [](Type x, Type y) { return std::ranges::equal(x.dims(), y.dims()); });
}
Made is_same_count(Arguments a) {
  return relation(a, [](Type x, Type y) {
    return x.is_static() && y.is_static() && x.element_count() == y.element_count();
  });
}
Made is_same_dtype(Arguments a) {
  const DType* dtype = attribute<DType>(a[1]);
  if (dtype == nullptr) return std::nullopt;
  return claim(a[0], [&](auto& x) { return x.type.dtype() == *dtype; });
}

// Whether every value of `from` is one of `to`, and converting `to` to anything treats it as converting `from` would.
// Integers to floats are left out: integers convert to integers by wrapping, floats by saturating.
bool includes(DType to, DType from) {
  if (is_floating(from) && is_floating(to)) {
    if (from == to || to == DType::f64) return true;
    if (to == DType::f32) return from != DType::f64;
    return byte_size(from) == 1 && byte_size(to) == 2;
  }
  if (is_boolean(from)) return is_integer(to) || is_floating(to) || is_boolean(to);
  if (is_unsigned_integer(from)) return is_integer(to) && (byte_size(to) > byte_size(from) || to == from);
  return is_signed_integer(from) && is_signed_integer(to) && byte_size(to) >= byte_size(from);
}
Made is_widening(Arguments a) {
  const DType* dtype = attribute<DType>(a[1]);
  if (dtype == nullptr) return std::nullopt;
  return claim(a[0], [&](auto& x) { return includes(*dtype, x.type.dtype()); });
}

// The constant's element, as elements of another shape.
Made like(Arguments a) {
  const ValueFacts* c = facts(a[0]);
  const ValueFacts* x = facts(a[1]);
  if (c == nullptr || x == nullptr || c->constant == nullptr || !c->constant->is_splat()) return std::nullopt;
  return Literal::splat(x->type.with_dtype(c->type.dtype()), c->constant->stored_bytes());
}

// Both are constants whose elements all have the same bits.
Made is_same_element(Arguments a) {
  const ValueFacts* c = facts(a[0]);
  const ValueFacts* d = facts(a[1]);
  if (!c || !d || !c->constant || !d->constant || !c->constant->is_splat() || !d->constant->is_splat()) return false;
  return std::ranges::equal(c->constant->stored_bytes(), d->constant->stored_bytes());
}

// The literal 1/c in c's own dtype, if c is a splat of a floating type and its reciprocal is finite and not zero.
LiteralPtr reciprocal_of(const ValueFacts& c) {
  if (c.constant == nullptr || !c.constant->is_splat() || !is_floating(c.type.dtype())) return nullptr;
  LiteralPtr inverse = Literal::splat(c.type, 1.0 / c.constant->splat_value());
  const double value = inverse->splat_value();
  return std::isfinite(value) && value != 0 ? inverse : nullptr;
}
Made reciprocal(Arguments a) {
  const ValueFacts* c = facts(a[0]);
  LiteralPtr inverse = c == nullptr ? nullptr : reciprocal_of(*c);
  if (inverse == nullptr) return std::nullopt;
  return inverse;
}
Made has_exact_reciprocal(Arguments a) {
  return claim(a[0], [](auto& c) {
    const LiteralPtr inverse = reciprocal_of(c);
    if (inverse == nullptr) return false;
    // A power of two whose reciprocal is normal in f32, which also the small formats compute in. Both conversions exact.
    int exponent = 0;
    const double value = c.constant->splat_value();
    if (std::abs(std::frexp(value, &exponent)) != 0.5 || value * inverse->splat_value() != 1.0) return false;
    return c.type.dtype() == DType::f64 ? std::abs(exponent) < 1000 : std::abs(exponent) < 120;
  });
}

// ---- particular ops --------------------------------------------------------------------------------------------------

// compare: the direction that holds exactly when `direction` does not. With NaN, only eq and ne are opposites.
Made negated(Arguments a) {
  const auto* direction = attribute<std::string>(a[0]);
  const ValueFacts* x = facts(a[1]);
  if (direction == nullptr || x == nullptr) return std::nullopt;
  constexpr std::pair<std::string_view, std::string_view> opposites[] = {{"eq", "ne"}, {"lt", "ge"}, {"le", "gt"}};
  for (const auto& [one, other] : opposites) {
    if (*direction != one && *direction != other) continue;
    if (one != "eq" && is_floating(x->type.dtype())) return std::nullopt;
    return std::string(*direction == one ? other : one);
  }
  return std::nullopt;
}

// slice(slice(x){starts, strides}){inner starts, limits, strides}
Made slice_limits(Arguments a) {
  const Integers *starts = integers(a[0]), *strides = integers(a[1]), *inner_starts = integers(a[2]),
                 *limits = integers(a[3]), *inner_strides = integers(a[4]);
  if (!starts || !strides || !inner_starts || !limits || !inner_strides) return std::nullopt;
  Integers out;
  for (std::size_t k = 0; k < limits->size(); ++k) {
    if ((*limits)[k] < 0) return std::nullopt;  // a symbolic axis
    const std::int64_t first = (*starts)[k] + (*inner_starts)[k] * (*strides)[k];
    const std::int64_t step = (*strides)[k] * (*inner_strides)[k];
    const std::int64_t count = ((*limits)[k] - (*inner_starts)[k] + (*inner_strides)[k] - 1) / (*inner_strides)[k];
    out.push_back(count == 0 ? first : first + (count - 1) * step + 1);
  }
  return out;
}

// slice(pad(x){low}){starts, limits, strides} = x
Made slice_undoes_pad(Arguments a) {
  const Integers *low = integers(a[0]), *starts = integers(a[1]), *limits = integers(a[2]), *strides = integers(a[3]);
  const ValueFacts* x = facts(a[4]);
  if (!low || !starts || !limits || !strides || !x || !x->type.is_static()) return std::nullopt;
  for (int axis = 0; axis < x->type.rank(); ++axis) {
    const std::size_t k = at(axis);
    if ((*starts)[k] != (*low)[k] || (*strides)[k] != 1) return false;
    if ((*limits)[k] != (*low)[k] + x->type.dim(axis).value()) return false;
  }
  return true;
}

// reduce(reduce(x){first}){second}: the axes of x that go.
Made merged_axes(Arguments a) {
  const Integers *first = integers(a[0]), *second = integers(a[1]);
  const ValueFacts* x = facts(a[2]);
  if (!first || !second || !x) return std::nullopt;
  Integers kept, out = *first;
  for (std::int64_t axis = 0; axis < x->type.rank(); ++axis) {
    if (!contains(*first, axis)) kept.push_back(axis);
  }
  for (std::int64_t axis : *second) out.push_back(kept[at(axis)]);
  std::ranges::sort(out);
  return out;
}

// reduce(transpose(x){permutation}){axes}: how the kept axes of x must be permuted.
Made kept_permutation(Arguments a) {
  const Integers *permutation = integers(a[0]), *axes = integers(a[1]);
  if (!permutation || !axes) return std::nullopt;
  Integers kept;  // axes of x, in the order of the result
  for (std::size_t k = 0; k < permutation->size(); ++k) {
    if (!contains(*axes, static_cast<std::int64_t>(k))) kept.push_back((*permutation)[k]);
  }
  Integers in_order = kept, out;
  std::ranges::sort(in_order);
  for (std::int64_t axis : kept) out.push_back(std::ranges::find(in_order, axis) - in_order.begin());
  return out;
}

Made are_unit_axes(Arguments a) {
  const Integers* axes = integers(a[0]);
  const ValueFacts* x = facts(a[1]);
  if (!axes || !x) return std::nullopt;
  return std::ranges::all_of(*axes, [&](std::int64_t axis) { return x->type.dim(static_cast<int>(axis)) == Dim(1); });
}

// A permutation that leaves the axes of more than one element in order moves no element.
Made moves_only_unit_axes(Arguments a) {
  const Integers* permutation = integers(a[0]);
  const ValueFacts* x = facts(a[1]);
  if (!permutation || !x) return std::nullopt;
  Integers moved;
  for (std::int64_t axis : *permutation) {
    if (x->type.dim(static_cast<int>(axis)) != Dim(1)) moved.push_back(axis);
  }
  return std::ranges::is_sorted(moved);
}

Made are_disjoint(Arguments a) {
  const Integers *x = integers(a[0]), *y = integers(a[1]);
  if (!x || !y) return std::nullopt;
  return std::ranges::none_of(*x, [&](std::int64_t n) { return contains(*y, n); });
}

// A constant like `x`: the product of the dims at the axes.
Made count_splat(Arguments a) {
  const Dims* dims = attribute<Dims>(a[0]);
  const Integers* axes = integers(a[1]);
  const ValueFacts* x = facts(a[2]);
  if (!dims || !axes || !x) return std::nullopt;
  std::int64_t count = 1;
  for (std::int64_t axis : *axes) {
    if (!(*dims)[at(axis)].is_static()) return std::nullopt;
    count *= (*dims)[at(axis)].value();
  }
  return Literal::splat_integer(x->type, count);
}
Made is_nothing_empty(Arguments a) {
  const Dims* dims = attribute<Dims>(a[0]);
  if (!dims) return std::nullopt;
  return std::ranges::all_of(*dims, [](Dim dim) { return dim.is_static() && dim.value() > 0; });
}

// dot of transpose(x){permutation}: the free axes must come out in the same order without it.
Made keeps_free_order(Arguments a) {
  const Integers *permutation = integers(a[0]), *batch = integers(a[1]), *contract = integers(a[2]);
  if (!permutation || !batch || !contract) return std::nullopt;
  Integers free;
  for (std::size_t k = 0; k < permutation->size(); ++k) {
    const auto axis = static_cast<std::int64_t>(k);
    if (!contains(*batch, axis) && !contains(*contract, axis)) free.push_back((*permutation)[k]);
  }
  return std::ranges::is_sorted(free);
}

// transpose(dot(x, y)){permutation}: batch axes stay, the free axes of y come before those of x.
Made swaps_sides(Arguments a) {
  const Integers *permutation = integers(a[0]), *batch = integers(a[1]), *contract = integers(a[2]);
  const ValueFacts* x = facts(a[3]);
  if (!permutation || !batch || !contract || !x) return std::nullopt;
  const std::int64_t batches = std::ssize(*batch), rank = std::ssize(*permutation);
  const std::int64_t left = x->type.rank() - batches - std::ssize(*contract);
  if (left == 0 || batches + left == rank) return false;
  Integers expected(permutation->size());
  std::iota(expected.begin(), expected.end(), 0);
  std::rotate(expected.begin() + batches, expected.begin() + batches + left, expected.end());
  return *permutation == expected;
}

// Convolutions from channels_first to channels_last: [N, C, spatial...] to [N, spatial..., C].
Made channels_last(Arguments a) {
  const ValueFacts* x = facts(a[0]);
  if (!x || x->type.rank() < 2) return std::nullopt;
  Integers out(at(x->type.rank()), 0);
  std::iota(out.begin() + 1, out.end() - 1, 2);
  out.back() = 1;
  return out;
}
// The same for weights: [O, I, kernel...] to [kernel..., I, O].
Made kernel_first(Arguments a) {
  const ValueFacts* w = facts(a[0]);
  if (!w || w->type.rank() < 2) return std::nullopt;
  Integers out(at(w->type.rank()), 0);
  std::iota(out.begin(), out.end() - 2, 2);
  out[out.size() - 2] = 1;
  return out;
}

constexpr RuleFunction kFunctions[] = {
    {"compose", "p after q, as lists: p[q[0]], p[q[1]], ...", 2, gather},
    {"gather", "list[indices[0]], list[indices[1]], ...", 2, gather},
    {"inverse", "the permutation that undoes p", 1, inverse},
    {"plus", "elementwise sum of two lists", 2, plus},
    {"times", "elementwise product of two lists", 2, times},
    {"shape_of", "the dimensions of a value", 1, shape_of},
    {"negated", "the direction of the opposite comparison of such values", 2, negated},
    {"transposed_dims", "broadcast dims seen through a permutation, in order", 2, transposed_dims},
    {"transposed_order", "the permutation of the operand that puts them in order", 2, transposed_order},
    {"regrouped_shape", "permutation, shape, value: the reshape that may come before the transposition", 3, regrouped_shape},
    {"regrouped_permutation", "the transposition that then follows", 3, regrouped_permutation},
    {"slice_limits", "limits of two slices in one: starts, strides, then those of the outer slice", 5, slice_limits},
    {"merged_axes", "the axes of two reductions in one", 3, merged_axes},
    {"kept_permutation", "how a permutation orders the axes that a reduction keeps", 2, kept_permutation},
    {"like", "the constant's element, in the shape of the value", 2, like},
    {"reciprocal", "the constant 1/c, if finite and not zero", 1, reciprocal},
    {"count_splat", "a constant like the value: the product of dims at axes", 3, count_splat},
    {"channels_last", "the permutation from [N, C, spatial...] to [N, spatial..., C]", 1, channels_last},
    {"kernel_first", "the permutation from [O, I, kernel...] to [kernel..., I, O]", 1, kernel_first},
    {"identity", "p changes nothing", 1, is_identity},
    {"increasing", "the list is in order", 1, is_increasing},
    {"all_zero", "the list holds zeros only", 1, is_all_zero},
    {"non_negative", "the list holds no negative number", 1, is_non_negative},
    {"nothing_empty", "all dims are static and at least 1", 1, is_nothing_empty},
    {"disjoint", "no number is in both lists", 2, are_disjoint},
    {"floating", "the value is of a floating type", 1, is_floating_value},
    {"boolean", "the value is bool", 1, is_boolean_value},
    {"signed", "the value is of a type with negative numbers", 1, is_signed_value},
    {"constant", "the value is a constant", 1, is_constant},
    {"splat", "the value is a constant whose elements are equal", 1, is_splat},
    {"same_element", "both values are constants of one and the same element", 2, is_same_element},
    {"same_type", "both values have the same type", 2, is_same_type},
    {"same_shape", "both values have the same shape", 2, is_same_shape},
    {"same_count", "both values have as many elements", 2, is_same_count},
    {"same_dtype", "the value has this element type", 2, is_same_dtype},
    {"widens", "the element type holds every element of the value", 2, is_widening},
    {"exact_reciprocal", "a constant power of two, far from the limits of its type", 1, has_exact_reciprocal},
    {"unit_axes", "these axes of the value have size 1", 2, are_unit_axes},
    {"moves_only_units", "the permutation moves no axis of more than one element past another", 2, moves_only_unit_axes},
    {"slice_undoes_pad", "low, starts, limits, strides, the padded value", 5, slice_undoes_pad},
    {"keeps_free_order", "permutation, batch, contract: free axes stay in order", 3, keeps_free_order},
    {"swaps_sides", "permutation, batch, contract, left operand: exchanges the free axes of both sides", 4, swaps_sides},
};

}  // namespace

std::span<const RuleFunction> all_rule_functions() { return kFunctions; }

const RuleFunction* find_rule_function(std::string_view name) {
  const auto found = std::ranges::find(kFunctions, name, &RuleFunction::name);
  return found == std::end(kFunctions) ? nullptr : &*found;
}

}  // namespace hyperion::passes

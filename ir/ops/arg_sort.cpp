// arg_sort.cpp: where the elements of a sorted line stood.
//
//   out[k] = i  where k elements of the line stand before element i
//
// Ascending, or descending; equal elements (-0 equals +0, a NaN equals a NaN) keep their order in both. A NaN is
// greater than every number, so it comes last, and first if descending, where it is what arg_reduce finds. Sorted
// values are what gather reads at these indices, which is also where their derivative comes from: an order does not
// change with its elements.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_arg_sort(const InferContext& c) {
  const Type x = c.operands[0];
  const std::int64_t axis = c.attributes.integer("axis");
  const DType dtype = c.attributes.dtype("dtype");
  if (axis < 0 || axis >= x.rank()) return c.fail("c1", format("axis {} is not an axis of {}", axis, x.text()), {0});
  if (dtype != DType::i32 && dtype != DType::i64) {
    return c.fail("c2", format("indices of type {} are not i32 or i64", dtype_name(dtype)));
  }
  if (!any_real_dtype(x.dtype())) return c.fail("c3", format("{} has no order", dtype_name(x.dtype())), {0});
  return std::vector{x.with_dtype(dtype)};
}

// Whether a stands before b wherever the two are.
Scalar precedes(Scalar a, Scalar b, bool descending) {
  if (descending) std::swap(a, b);
  return is_floating(a.dtype()) ? (a < b) | (is_nan(b) & ~is_nan(a)) : a < b;
}

// Every element counts those before it, and the one that counts to k is the k-th.
std::vector<Lambda> define_arg_sort(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::size_t axis = at(c.attributes.integer("axis"));
  const bool descending = c.attributes.boolean("descending");
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const Dim size = c.operands[0].dim(static_cast<int>(axis));
  const VariableId candidate = pool.variables(std::span(&size, 1))[0], other = pool.variables(std::span(&size, 1))[0];
  const std::vector<TermId> element = index_terms(pool, variables);
  const auto x = [&](VariableId place) {
    std::vector<TermId> source = element;
    source[axis] = pool.index(place);
    return Scalar{&pool, c.access(0, std::move(source))};
  };
  const TermId is_before =
      pool.choose(pool.less(pool.index(other), pool.index(candidate)),
                  (~precedes(x(candidate), x(other), descending)).id, precedes(x(other), x(candidate), descending).id);
  const TermId rank =
      pool.reduce(Monoid::sum, Order::ascending, std::span(&other, 1), cast(Scalar{&pool, is_before}, DType::i64).id);
  const TermId is_found = pool.is_zero(pool.subtract(plain_index(pool, rank), element[axis]));
  const DType dtype = c.results[0].dtype();
  const TermId place =
      pool.choose(is_found, pool.from_index(pool.index(candidate), dtype), pool.state(candidate, 0, dtype));
  return {{variables, pool.fold(std::span(&candidate, 1), {pool.literal_integer(dtype, 0)}, {place}, 0)}};
}

// The same without counting: the interpreter sorts lines of any length.
StatusOr<std::vector<LiteralPtr>> evaluate_arg_sort(const EvaluateContext& c) {
  const Literal& x = *c.operand(0);
  const Type type = c.results[0];
  const int axis = static_cast<int>(c.attributes.integer("axis"));
  const bool descending = c.attributes.boolean("descending");
  const DType dtype = x.type().dtype();
  std::vector<std::byte> out(type.bytes());
  const std::int64_t size = type.dim(axis).value(), step = type.strides()[at(axis)];
  std::vector<std::int64_t> order(at(size));
  const auto precedes = [&](const std::byte* a, const std::byte* b) {
    if (descending) std::swap(a, b);
    if (dtype == DType::u64) {
      return static_cast<std::uint64_t>(element_to_integer(dtype, a)) <
             static_cast<std::uint64_t>(element_to_integer(dtype, b));
    }
    if (!is_floating(dtype)) return element_to_integer(dtype, a) < element_to_integer(dtype, b);
    const double left = element_to_double(dtype, a), right = element_to_double(dtype, b);
    return left < right || (std::isnan(right) && !std::isnan(left));
  };
  for (std::int64_t first = 0; first < type.element_count(); ++first) {
    if (first / step % size != 0) continue;  // not where a line begins
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
      return precedes(x.element(first + a * step).data(), x.element(first + b * step).data());
    });
    for (std::int64_t k = 0; k < size; ++k)
      element_from_integer(type.dtype(), order[at(k)], out.data() + at(first + k * step) * byte_size(type.dtype()));
  }
  return std::vector{Literal::make(type, out)};
}

}  // namespace

OpDefinition op_arg_sort() {
  OpDefinition op;
  op.name = "arg_sort";
  op.group = OpGroup::indexed;
  op.doc = "The indices that sort x along `axis`; equals keep their order, and NaN is greater than every number.";
  op.operands = {{.name = "x", .doc = "the tensor"}};
  op.attributes = {{"axis", AttributeKind::integer, "the axis to sort along", std::nullopt},
                   {"descending", AttributeKind::boolean, "the greatest first", AttributeValue(false)},
                   {"dtype", AttributeKind::dtype, "of the indices", AttributeValue(DType::i64)}};
  op.constraints = {{"c1", "(C1) axis is an axis of the operand"},
                    {"c2", "(C2) dtype is i32 or i64"},
                    {"c3", "(C3) the element type is ordered"}};
  op.anchor = Anchor::reduction;
  op.infer = infer_arg_sort;
  op.define = define_arg_sort;
  op.evaluate = evaluate_arg_sort;
  op.batch = [](BatchContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("axis", c.attributes.integer("axis") + 1);
    return only(c.builder.apply("arg_sort", {c.operand(0)}, std::move(attributes)));
  };
  op.example = "arg_sort %x {axis = 1, descending = true, dtype = i32}";
  return op;
}

}  // namespace hyperion::ir::ops

// arg_reduce.cpp: where the extremum stands.
//
// The first of equal elements is chosen (-0 equals +0). A NaN counts as the extremum, and the first NaN is chosen: the
// element at the index is the one that `reduce` with max or min gives.
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_arg_reduce(const InferContext& c) {
  const Type x = c.operands[0];
  const std::string& kind = c.attributes.text("kind");
  const std::int64_t axis = c.attributes.integer("axis");
  const DType dtype = c.attributes.dtype("dtype");
  if (kind != "max" && kind != "min") return c.fail("c1", "kind \"" + kind + "\" is not max or min");
  if (axis < 0 || axis >= x.rank()) return c.fail("c2", format("axis {} is not an axis of {}", axis, x.text()), {0});
  if (x.dim(static_cast<int>(axis)) == Dim(0)) {
    return c.fail("c3", format("axis {} of {} is empty: it has no extremum", axis, x.text()), {0});
  }
  if (dtype != DType::i32 && dtype != DType::i64) {
    return c.fail("c4", format("indices of type {} are not i32 or i64", dtype_name(dtype)));
  }
  if (!any_real_dtype(x.dtype())) return c.fail("c5", format("{} has no order", dtype_name(x.dtype())), {0});
  Dims dims = dims_of(x);
  dims.erase(dims.begin() + axis);
  return std::vector{Type(dtype, dims)};
}

// A fold over (best element, its index) from (the identity, 0).
std::vector<Lambda> define_arg_reduce(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::int64_t axis = c.attributes.integer("axis");
  const bool is_max = c.attributes.text("kind") == "max";
  const DType dtype = c.operands[0].dtype(), counted = c.results[0].dtype();
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const Dim extents[] = {c.operands[0].dim(static_cast<int>(axis))};
  const std::vector<VariableId> bound = pool.variables(extents);
  std::vector<TermId> source = index_terms(pool, variables);
  source.insert(source.begin() + axis, pool.index(bound[0]));
  const Scalar x{&pool, c.access(0, std::move(source))};
  const Scalar best{&pool, pool.state(bound[0], 0, dtype)}, index{&pool, pool.state(bound[0], 1, counted)};
  Scalar better = is_max ? x > best : x < best;
  if (is_floating(dtype)) better = better | (is_nan(x) & ~is_nan(best));
  const Scalar here{&pool, pool.from_index(pool.index(bound[0]), counted)};
  const TermId start = pool.literal_bits(dtype, identity_bits(is_max ? Monoid::maximum : Monoid::minimum, dtype));
  const TermId result = pool.fold(bound, {start, pool.literal_integer(counted, 0)},
                                  {select(better, x, best).id, select(better, here, index).id}, 1);
  return {{variables, result}};
}

}  // namespace

OpDefinition op_arg_reduce() {
  OpDefinition op;
  op.name = "arg_reduce";
  op.group = OpGroup::reduction;
  op.doc = "The index of the largest or smallest element along `axis`; the first of equals, and NaN before all.";
  op.operands = {{.name = "x", .doc = "the tensor"}};
  op.attributes = {{"kind", AttributeKind::text, "max or min", std::nullopt},
                   {"axis", AttributeKind::integer, "the axis to search along", std::nullopt},
                   {"dtype", AttributeKind::dtype, "of the indices", AttributeValue(DType::i64)}};
  op.constraints = {{"c1", "(C1) kind is max or min"},
                    {"c2", "(C2) axis is an axis of the operand"},
                    {"c3", "(C3) the axis is not empty"},
                    {"c4", "(C4) dtype is i32 or i64"},
                    {"c5", "(C5) the element type is ordered"}};
  op.anchor = Anchor::reduction;
  op.infer = infer_arg_reduce;
  op.define = define_arg_reduce;
  op.batch = [](BatchContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("axis", c.attributes.integer("axis") + 1);
    return only(c.builder.apply("arg_reduce", {c.operand(0)}, std::move(attributes)));
  };
  op.example = "arg_reduce %x {axis = 1, dtype = i32, kind = \"max\"}";
  return op;
}

}  // namespace hyperion::ir::ops

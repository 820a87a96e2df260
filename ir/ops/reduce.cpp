// reduce.cpp: combines the elements along some axes.
//
// Order. "ascending" combines in row-major order of the reduced axes, starting from the identity. "lanes" keeps 64
// interleaved partial results along the last reduced axis and combines them by halving (ir/logic/term.hpp); it is what a
// vector unit does, and the same on every width. "any" is for kernels: whatever order suits the machine, the same each run;
// the interpreter takes "lanes". Sums are carried in accumulation_dtype(): f32 for 16- and 8-bit floats.
#include <algorithm>

#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

bool is_reduced(const Integers& axes, int axis) { return std::ranges::find(axes, axis) != axes.end(); }

InferResult infer_reduce(const InferContext& c) {
  const Type x = c.operands[0];
  const Integers& axes = c.attributes.integers("axes");
  const std::optional<Monoid> kind = parse_monoid(c.attributes.text("kind"));
  const std::string& order = c.attributes.text("order");
  if (!kind) return c.fail("c1", "kind \"" + c.attributes.text("kind") + "\" is not sum, prod, max, min, and or or");
  if (order != "ascending" && order != "lanes" && order != "any") {
    return c.fail("c2", "order \"" + order + "\" is not ascending, lanes or any");
  }
  if (!distinct_axes(axes, x.rank()) || !std::ranges::is_sorted(axes)) {
    return c.fail("c3", format("axes {} are not increasing axes of {}", text(AttributeValue(axes)), x.text()), {0});
  }
  const bool logical = *kind == Monoid::all || *kind == Monoid::any;
  const bool accepted = logical ? bits_dtype(x.dtype()) : *kind == Monoid::sum || *kind == Monoid::product
                                                              ? numeric_dtype(x.dtype())
                                                              : any_real_dtype(x.dtype());
  if (!accepted) {
    return c.fail("c4", format("{} of {} is not defined", monoid_name(*kind), dtype_name(x.dtype())), {0});
  }
  std::vector<Dim> dims;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!is_reduced(axes, axis)) dims.push_back(x.dim(axis));
  }
  return std::vector{x.with_dims(dims)};
}

std::vector<Lambda> define_reduce(const DefineContext& c) {
  TermPool& pool = c.pool;
  const Type x = c.operands[0];
  const Integers& axes = c.attributes.integers("axes");
  const Monoid kind = *parse_monoid(c.attributes.text("kind"));
  const Order order = c.attributes.text("order") == "ascending" ? Order::ascending : Order::lanes;
  const std::vector<VariableId> kept = pool.variables(c.results[0].dims());
  std::vector<Dim> extents;
  for (std::int64_t axis : axes) extents.push_back(x.dim(static_cast<int>(axis)));
  const std::vector<VariableId> bound = pool.variables(extents);
  std::vector<TermId> indices;
  std::size_t next_kept = 0, next_bound = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    indices.push_back(pool.index(is_reduced(axes, axis) ? bound[next_bound++] : kept[next_kept++]));
  }
  const DType carried = accumulation_dtype(x.dtype());
  const Scalar element = cast(Scalar{&pool, c.access(0, std::move(indices))}, carried);
  const Scalar total{&pool, pool.reduce(kind, order, bound, element.id)};
  return {{kept, cast(total, x.dtype()).id}};
}

// For each element, the product of the others that are reduced with it: what comes before times what comes behind, so
// that zeros need no special case.
Value product_of_others(Builder& b, Value x, const Integers& axes) {
  const Integers kept = other_axes(axes, x.rank());
  const Integers order = joined(kept, axes);
  const Value last = b.transpose(x, order);
  Dims flat = gathered(x.type(), kept);
  std::int64_t count = 1;
  for (std::int64_t axis : axes) count *= x.dim(static_cast<int>(axis)).value();
  flat.push_back(count);
  const Value line = b.reshape(last, flat);
  const auto running = [&](bool reverse) {
    return b.apply("cumulative", {line}, {{"kind", std::string("prod")},
                                          {"axis", std::ssize(flat) - 1},
                                          {"reverse", reverse},
                                          {"exclusive", true}});
  };
  return b.transpose(b.reshape(running(false) * running(true), last.type().dims()), inverse(order));
}

// d max(x) = mean of dx over the elements that attain the maximum; d prod(x) = sum of dx * product of the others.
std::vector<Value> jvp_reduce(JvpContext& c) {
  const Integers& axes = c.attributes.integers("axes");
  const Monoid kind = *parse_monoid(c.attributes.text("kind"));
  const Value x = c.operand(0);
  Builder& b = c.builder;
  if (kind == Monoid::sum) return only(b.apply("reduce", {c.tangent()}, c.attributes));
  if (kind == Monoid::maximum || kind == Monoid::minimum) {
    const Value attains = b.compare(x, spread(c.result(), x.type(), axes), "eq");
    const Value count = b.reduce(b.cast(attains, x.dtype()), Monoid::sum, axes);
    const Value moved = b.select(attains, c.tangent(), b.broadcast_scalar(b.zeros(Type::scalar(x.dtype())), x.type()));
    return only(b.reduce(moved, Monoid::sum, axes) / count);
  }
  if (kind == Monoid::product) {
    return only(b.reduce(c.tangent() * product_of_others(b, x, axes), Monoid::sum, axes));
  }
  return only(Value{});
}

}  // namespace

OpDefinition op_reduce() {
  OpDefinition op;
  op.name = "reduce";
  op.group = OpGroup::reduction;
  op.doc = "Combines the elements along `axes`, starting from the identity of `kind`.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = {{"kind", AttributeKind::text, "sum, prod, max, min, and, or", std::nullopt},
                   {"axes", AttributeKind::integers, "the axes to reduce, increasing", std::nullopt},
                   {"order", AttributeKind::text, "ascending, lanes or any", AttributeValue(std::string("ascending"))}};
  op.constraints = {{"c1", "(C1) kind is sum, prod, max, min, and or or"},
                    {"c2", "(C2) order is ascending, lanes or any"},
                    {"c3", "(C3) axes are increasing axes of the operand"},
                    {"c4", "(C4) kind is defined on the element type"}};
  op.anchor = Anchor::reduction;
  op.infer = infer_reduce;
  op.define = define_reduce;
  op.jvp = jvp_reduce;
  op.linearity = Linearity::jointly;  // kind = sum; other kinds never meet transpose, since jvp rewrites them
  op.transpose = [](TransposeContext& c) {
    return only(spread(c.cotangent(), c.type(0), c.attributes.integers("axes")));
  };
  op.batch = [](BatchContext& c) {
    Attributes attributes = c.attributes;
    Integers axes = attributes.integers("axes");
    for (std::int64_t& axis : axes) ++axis;
    attributes.set("axes", std::move(axes));
    return only(c.builder.apply("reduce", {c.operand(0)}, std::move(attributes)));
  };
  op.example = "reduce %x {axes = [1], kind = \"sum\"}";
  return op;
}

}  // namespace hyperion::ir::ops

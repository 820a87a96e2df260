// cumulative.cpp: running sums, products and extrema along an axis.
//
//   out[i] = x[0] + x[1] + ... + x[i]          exclusive: ... + x[i - 1], starting with the identity
//
// One chain from the identity, in ascending order (descending if `reverse`), carried in the accumulation dtype (f32 for
// 16- and 8-bit floats) and rounded once per element written.
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_cumulative(const InferContext& c) {
  const Type x = c.operands[0];
  const std::optional<Monoid> kind = parse_monoid(c.attributes.text("kind"));
  const std::int64_t axis = c.attributes.integer("axis");
  if (!kind || *kind == Monoid::all || *kind == Monoid::any) {
    return c.fail("c1", "kind \"" + c.attributes.text("kind") + "\" is not sum, prod, max or min");
  }
  if (axis < 0 || axis >= x.rank()) return c.fail("c2", format("axis {} is not an axis of {}", axis, x.text()), {0});
  if (!numeric_dtype(x.dtype())) {
    return c.fail("c3", format("{} of {} is not defined", monoid_name(*kind), dtype_name(x.dtype())), {0});
  }
  return std::vector{x};
}

std::vector<Lambda> define_cumulative(const DefineContext& c) {
  TermPool& pool = c.pool;
  const Type x = c.operands[0];
  const std::size_t axis = at(c.attributes.integer("axis"));
  const Monoid kind = *parse_monoid(c.attributes.text("kind"));
  const std::vector<VariableId> variables = pool.variables(x.dims());
  const Dim size = x.dim(static_cast<int>(axis));
  const std::vector<VariableId> bound = pool.variables(std::span(&size, 1));
  const std::vector<TermId> element = index_terms(pool, variables);
  const TermId last = pool.index(size - Dim(1)), step = pool.index(bound[0]);
  // Step k of the chain reads element k, or from the end; element i has taken part in steps 0 .. i (or i - 1).
  TermId steps = element[axis];
  std::vector<TermId> source = element;
  source[axis] = step;
  if (c.attributes.boolean("reverse")) {
    source[axis] = pool.subtract(last, step);
    steps = pool.subtract(last, steps);
  }
  if (c.attributes.boolean("exclusive")) steps = pool.subtract(steps, pool.index(Dim(1)));
  const DType carried = accumulation_dtype(x.dtype());
  const TermId read = cast(Scalar{&pool, c.access(0, std::move(source))}, carried).id;
  const TermId state = pool.state(bound[0], 0, carried);
  const TermId combined = pool.scalar(combine_op(kind), carried, {state, read});
  const TermId taken = pool.non_negative(pool.subtract(steps, step));
  const TermId total = pool.fold(bound, {pool.literal_bits(carried, identity_bits(kind, carried))},
                                 {pool.choose(taken, combined, state)}, 0);
  return {{variables, cast(Scalar{&pool, total}, x.dtype()).id}};
}

// ---- derivative -----------------------------------------------------------------------------------------------

// x moved by `distance` towards higher indices along `axis`; `fill` comes in at the front.
Value moved(Value x, int axis, std::int64_t distance, double fill) {
  Builder& b = *x.builder;
  Integers low(at(x.rank()), 0), high = low;
  low[at(axis)] = distance;
  high[at(axis)] = -distance;
  return b.apply("pad", {x, b.constant(Type::scalar(x.dtype()), fill)},
                 {{"low", low}, {"high", high}, {"interior", Integers(low.size(), 0)}});
}

// d y[i] = d y[i - 1] * x[i] + y[i - 1] * dx[i]: a linear recurrence, solved by doubling, without division.
Value jvp_product(JvpContext& c, Value x, Value dx, int axis) {
  Attributes before = c.attributes;
  before.set("reverse", false);
  before.set("exclusive", true);
  Value factor = x;
  Value term = c.builder.apply("cumulative", {x}, std::move(before)) * dx;
  for (std::int64_t distance = 1; distance < x.dim(axis).value(); distance *= 2) {
    term = term + factor * moved(term, axis, distance, 0.0);
    factor = factor * moved(factor, axis, distance, 1.0);
  }
  return term;
}

// The tangent of the element that holds the running extremum: of equals, the one that came first.
Value jvp_extremum(JvpContext& c, Value x, Value dx, int axis) {
  Builder& b = c.builder;
  Attributes before = c.attributes;
  before.set("reverse", false);
  before.set("exclusive", true);
  const Value previous = b.apply("cumulative", {x}, std::move(before));
  const Value position = iota(b, x.type().with_dtype(DType::i64), axis);
  const bool is_max = c.attributes.text("kind") == "max";
  const Value beats = b.compare(x, previous, is_max ? "gt" : "lt");
  const Value takes = b.apply("or", {beats, b.compare(position, integer_like(position, 0), "eq")});
  const Value holder = b.apply("cumulative", {b.select(takes, position, integer_like(position, -1))},
                               {{"kind", std::string("max")}, {"axis", std::int64_t{axis}}});
  const int last = x.rank() - 1;
  const Value found = b.apply("gather", {move_axis(dx, axis, last), move_axis(holder, axis, last)},
                              {{"axis", std::int64_t{last}}, {"batch", std::int64_t{last}}});
  return move_axis(found, last, axis);
}

std::vector<Value> jvp_cumulative(JvpContext& c) {
  Builder& b = c.builder;
  const std::string& kind = c.attributes.text("kind");
  if (kind == "sum") return only(b.apply("cumulative", {c.tangent()}, c.attributes));
  const int axis = static_cast<int>(c.attributes.integer("axis"));
  if (c.operand(0).dim(axis) == Dim(0)) return only(c.tangent());
  const bool reverse = c.attributes.boolean("reverse");
  const auto turned = [&](Value v) { return reverse ? b.apply("reverse", {v}, {{"axes", Integers{axis}}}) : v; };
  const Value x = turned(c.operand(0)), dx = turned(c.tangent());
  Value tangent = kind == "prod" ? jvp_product(c, x, dx, axis) : jvp_extremum(c, x, dx, axis);
  if (c.attributes.boolean("exclusive")) tangent = moved(tangent, axis, 1, 0.0);
  return only(turned(tangent));
}

}  // namespace

OpDefinition op_cumulative() {
  OpDefinition op;
  op.name = "cumulative";
  op.group = OpGroup::reduction;
  op.doc = "Element i combines x[0..i] along `axis`: running sums, products and extrema.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = {{"kind", AttributeKind::text, "sum, prod, max or min", std::nullopt},
                   {"axis", AttributeKind::integer, "the axis to run along", std::nullopt},
                   {"reverse", AttributeKind::boolean, "run from the end", AttributeValue(false)},
                   {"exclusive", AttributeKind::boolean, "leave out the element itself", AttributeValue(false)}};
  op.constraints = {{"c1", "(C1) kind is sum, prod, max or min"},
                    {"c2", "(C2) axis is an axis of the operand"},
                    {"c3", "(C3) the element type is a number"}};
  op.anchor = Anchor::cumulative;
  op.infer = infer_cumulative;
  op.define = define_cumulative;
  op.jvp = jvp_cumulative;
  op.linearity = Linearity::jointly;  // kind = sum; jvp rewrites the others
  op.transpose = [](TransposeContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("reverse", !c.attributes.boolean("reverse"));
    return only(c.builder.apply("cumulative", {c.cotangent()}, std::move(attributes)));
  };
  op.batch = [](BatchContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("axis", c.attributes.integer("axis") + 1);
    return only(c.builder.apply("cumulative", {c.operand(0)}, std::move(attributes)));
  };
  op.example = "cumulative %x {axis = 1, kind = \"sum\"}";
  return op;
}

}  // namespace hyperion::ir::ops

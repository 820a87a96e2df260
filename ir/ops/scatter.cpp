// scatter.cpp: updates written into a tensor at indices along one axis.
//
// out = x, then for each index i... in row-major order:
//   out[b..., before..., indices[b..., i...], after...]  (kind)=  updates[b..., before..., i..., after...]
//
// Axes as in gather. An update whose index is out of range is dropped. Several updates of one element combine in
// ascending order of i..., each step rounded to the element type; with kind "set" the last one stays.
#include "ir/ops/indexed.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

// The combining monoid of a kind; "set" has none.
std::optional<Monoid> combining(const std::string& kind) {
  return kind == "add" ? Monoid::sum : kind == "mul" ? Monoid::product : parse_monoid(kind);
}

InferResult infer_scatter(const InferContext& c) {
  const Type x = c.operands[0], updates = c.operands[2];
  const std::string& kind = c.attributes.text("kind");
  HYP_TRY(const Type slices, infer_slices(c, x, c.operands[1]));
  if (updates != slices) {
    return c.fail("c5", format("updates are {}, the slices of x at the indices {}", updates.text(), slices.text()), {2});
  }
  if (kind != "set" && kind != "add" && kind != "mul" && kind != "min" && kind != "max") {
    return c.fail("c6", format("kind \"{}\" is not set, add, mul, min or max", kind));
  }
  if (kind == "set" ? is_complex(x.dtype()) : !numeric_dtype(x.dtype())) {
    return c.fail("c7", format("{} of {} is not defined", kind, dtype_name(x.dtype())), {0});
  }
  return std::vector{x};
}

// A fold over the index positions: the element takes part in every update whose index is its own.
std::vector<Lambda> define_scatter(const DefineContext& c) {
  TermPool& pool = c.pool;
  const IndexedAxes axes(c.attributes, c.operands[1]);
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> element = index_terms(pool, variables);
  Dims extents(c.operands[1].dims().begin() + axes.batch, c.operands[1].dims().end());
  if (extents.empty()) extents.push_back(Dim(1));  // one index
  const std::vector<VariableId> positions = pool.variables(extents);
  std::vector<TermId> slice = element;
  slice.erase(slice.begin() + axes.axis);
  for (int k = 0; k < axes.index_rank; ++k) slice.insert(slice.begin() + axes.axis + k, pool.index(positions[at(k)]));
  const TermId target = plain_index(pool, c.access(1, axes.of_index(slice)));
  const DType dtype = c.results[0].dtype();
  const TermId state = pool.state(positions[0], 0, dtype);
  TermId updated = c.access(2, slice);
  const std::optional<Monoid> monoid = combining(c.attributes.text("kind"));
  if (monoid) updated = pool.scalar(combine_op(*monoid), dtype, {state, updated});
  const TermId hit = pool.is_zero(pool.subtract(target, element[at(axes.axis)]));
  return {{variables, pool.fold(positions, {c.access(0, element)}, {pool.choose(hit, updated, state)}, 0)}};
}

// ---- derivatives ----------------------------------------------------------------------------------------------

struct Parts {
  Builder& b;
  const Attributes& attributes;
  Value indices;
  Type x, updates;
  IndexedAxes axes;

  Value scatter(std::string_view kind, Value into, Value values) const {
    Attributes changed = attributes;
    changed.set("kind", std::string(kind));
    return b.apply("scatter", {into, indices, values}, std::move(changed));
  }
  // What scatter writes to, read back at every index.
  Value gather(Value from) const {
    return b.apply("gather", {from, indices},
                   {{"axis", attributes.integer("axis")}, {"batch", attributes.integer("batch")}});
  }
  bool nowhere_to_write() const { return x.dim(axes.axis) == Dim(0); }
  // bool, like the updates: those that were not dropped.
  Value in_range() const {
    const Value wide = b.cast(indices, DType::i64);
    const std::int64_t size = x.dim(axes.axis).value();
    const Value inside = b.apply("and", {b.compare(wide, integer_like(wide, 0), "ge"), b.compare(wide, integer_like(wide, size), "lt")});
    return axes.over_slices(inside, updates);
  }
  // bool, like the updates: those that nothing overwrote. Every position writes its own number, and looks who stayed.
  Value winners() const {
    const Type numbered = indices.type().with_dtype(DType::i64);
    Dims flat(numbered.dims().begin(), numbered.dims().begin() + axes.batch);
    std::int64_t count = 1;
    for (int k = axes.batch; k < numbered.rank(); ++k) count *= numbered.dim(k).value();
    flat.push_back(count);
    const Value numbers = b.reshape(iota(b, Type(DType::i64, flat), axes.batch), numbered.dims());
    Dims target(flat.begin(), flat.end() - 1);
    target.push_back(x.dim(axes.axis));
    const Type marks(DType::i64, target);
    const Attributes place = {{"axis", std::int64_t{axes.batch}}, {"batch", std::int64_t{axes.batch}}};
    Attributes set = place;
    set.set("kind", std::string("set"));
    const Value marked = b.apply("scatter", {b.constant(Literal::splat_integer(marks, -1)), indices, numbers}, set);
    const Value stayed = b.apply("gather", {marked, indices}, place);
    return axes.over_slices(b.compare(stayed, numbers, "eq"), updates);
  }
};

// x * prod(u): the product of everything else at the same place, without dividing by zero: the product of the factors
// that are not zero, and how many are.
Value product_of_others(const Parts& p, Value x, Value updates) {
  Builder& b = p.b;
  const Value zero = b.zeros(updates.type()), one = b.ones(updates.type());
  const Value is_zero = b.compare(updates, zero, "eq");
  const Value product = p.gather(p.scatter("mul", x, b.select(is_zero, one, updates)));
  const Value zeros = p.gather(p.scatter("add", b.zeros(p.x), b.cast(is_zero, updates.dtype())));
  const Value only_zero = b.select(b.compare(zeros, one, "eq"), product, zero);
  const Value no_zero = b.select(b.compare(zeros, zero, "eq"), product / b.select(is_zero, one, updates), zero);
  return b.select(is_zero, only_zero, no_zero);
}

// The extremum's tangent is the mean over everything that attains it, as for reduce.
Value jvp_extremum(JvpContext& c, const Parts& p) {
  Builder& b = p.b;
  const DType dtype = p.x.dtype();
  const Value kept = b.cast(b.compare(c.operand(0), c.result(), "eq"), dtype);
  const Value hit = b.cast(b.compare(c.operand(2), p.gather(c.result()), "eq"), dtype);
  const Value count = p.scatter("add", kept, hit);
  const Value dx = c.has_tangent(0) ? c.tangent(0) * kept : b.zeros(p.x);
  const Value total = c.has_tangent(2) ? p.scatter("add", dx, c.tangent(2) * hit) : dx;
  return total / count;
}

std::vector<Value> jvp_scatter(JvpContext& c) {
  Builder& b = c.builder;
  const Parts p{b, c.attributes, c.operand(1), c.operand(0).type(), c.operand(2).type(),
                IndexedAxes(c.attributes, c.operand(1).type())};
  if (p.nowhere_to_write()) return only(c.tangent(0));
  const std::string& kind = c.attributes.text("kind");
  const Value dx = c.has_tangent(0) ? c.tangent(0) : b.zeros(p.x);
  if (kind == "min" || kind == "max") return only(jvp_extremum(c, p));
  if (kind != "mul") {
    return only(p.scatter(kind, dx, c.has_tangent(2) ? c.tangent(2) : b.zeros(p.updates)));
  }
  Value tangent;
  if (c.has_tangent(0)) tangent = p.scatter("mul", dx, c.operand(2));
  if (c.has_tangent(2)) {
    const Value others = product_of_others(p, c.operand(0), c.operand(2));
    tangent = b.accumulate(tangent, p.scatter("add", b.zeros(p.x), c.tangent(2) * others));
  }
  return only(tangent);
}

// set and add are linear in x and updates together, mul in x alone; min and max never meet transpose.
std::vector<Value> transpose_scatter(TransposeContext& c) {
  Builder& b = c.builder;
  const Parts p{b, c.attributes, c.operand(1), c.type(0), c.type(2), IndexedAxes(c.attributes, c.type(1))};
  const std::string& kind = c.attributes.text("kind");
  const Value cotangent = c.cotangent();
  std::vector<Value> result(3);
  if (c.is_linear(0)) {
    if (kind == "add") result[0] = cotangent;
    if (kind == "set") result[0] = p.scatter("set", cotangent, b.zeros(p.updates));
    if (kind == "mul") result[0] = p.scatter("mul", cotangent, c.operand(2));
  }
  if (c.is_linear(2)) {
    const Value zero = b.zeros(p.updates);
    const bool dropped = p.nowhere_to_write();
    result[2] = dropped ? zero : b.select(kind == "set" ? p.winners() : p.in_range(), p.gather(cotangent), zero);
  }
  return result;
}

std::vector<Value> batch_scatter(BatchContext& c) {
  const bool shared = c.is_batched(1) || c.attributes.integer("batch") > 0;
  return only(c.builder.apply(
      "scatter", {c.batched_operand(0), shared ? c.batched_operand(1) : c.operand(1), c.batched_operand(2)},
      with_batch_axis(c.attributes, shared)));
}

}  // namespace

OpDefinition op_scatter() {
  OpDefinition op;
  op.name = "scatter";
  op.group = OpGroup::indexed;
  op.doc = "x with `updates` combined into it at `indices` along `axis`, in ascending order of update position; "
           "updates out of range are dropped.";
  op.operands = {{.name = "x", .doc = "the tensor before", .linear = true},
                 {.name = "indices", .doc = "integers"},
                 {.name = "updates", .doc = "of the shape that gather would give", .linear = true}};
  op.attributes = indexed_attributes();
  op.attributes.push_back({"kind", AttributeKind::text, "set, add, mul, min or max", AttributeValue(std::string("add"))});
  op.constraints = indexed_constraints();
  op.constraints.push_back({"c5", "(C5) updates have the type of the slices"});
  op.constraints.push_back({"c6", "(C6) kind is set, add, mul, min or max"});
  op.constraints.push_back({"c7", "(C7) kind is defined on the element type"});
  op.anchor = Anchor::scatter;
  op.infer = infer_scatter;
  op.define = define_scatter;
  op.jvp = jvp_scatter;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_scatter;
  op.batch = batch_scatter;
  op.is_smooth = false;
  op.example = "scatter %x, %indices, %updates {axis = 0, kind = \"add\"}";
  return op;
}

}  // namespace hyperion::ir::ops

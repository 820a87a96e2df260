#include "ir/builder.hpp"

#include <algorithm>
#include <numeric>

#include "ir/support/format.hpp"
#include "ir/transforms.hpp"

namespace hyperion::ir {

Type Value::type() const { return builder->function().type(id); }

void Builder::insert_before(OpId op) {
  before_ = op;
  block_ = function_->op(op).parent;
}

Result<OpId> Builder::try_apply(const OpDefinition& op, std::vector<ValueId> operands,
                                Attributes attributes, Diagnostics& diagnostics) {
  std::vector<Type> types;
  for (ValueId operand : operands) types.push_back(function_->type(operand));
  HYP_TRY(const std::vector<Type> results,
          infer_types(op, types, attributes, module_, diagnostics, location_));
  return function_->insert_op(block_, before_, op, std::move(operands), results, std::move(attributes),
                              location_);
}

std::vector<Value> Builder::apply_all(std::string_view name, std::span<const Value> operands,
                                      Attributes attributes) {
  std::vector<ValueId> ids;
  for (const Value& operand : operands) {
    HYP_CHECK(operand.valid() && operand.builder == this, "operand is zero or of another builder");
    ids.push_back(operand.id);
  }
  Diagnostics diagnostics;
  const Result<OpId> op = try_apply(ir::op(name), std::move(ids), std::move(attributes), diagnostics);
  HYP_CHECK(op.has_value(), "a rule built an ill-typed op: " + diagnostics.render());
  std::vector<Value> results;
  for (ValueId id : function_->op(*op).results) results.push_back(wrap(id));
  return results;
}

Value Builder::apply(std::string_view name, std::span<const Value> operands, Attributes attributes) {
  const std::vector<Value> results = apply_all(name, operands, std::move(attributes));
  HYP_CHECK(results.size() == 1, format("op '{}' has {} results", name, results.size()));
  return results[0];
}

Value Builder::apply(std::string_view name, std::initializer_list<Value> operands, Attributes attributes) {
  return apply(name, std::span(operands.begin(), operands.size()), std::move(attributes));
}

std::vector<Value> Builder::insert(const OpDefinition& op, std::vector<ValueId> operands,
                                   std::span<const Type> results, Attributes attributes) {
  const OpId id = function_->insert_op(block_, before_, op, std::move(operands), results, std::move(attributes),
                                       location_);
  std::vector<Value> values;
  for (ValueId result : function_->op(id).results) values.push_back(wrap(result));
  return values;
}

void Builder::return_values(std::span<const Value> values) { apply_all("return", values); }

Value Builder::constant(LiteralPtr literal) {
  return apply("constant", std::initializer_list<Value>{}, {{"value", std::move(literal)}});
}

Value Builder::reshape(Value x, std::span<const Dim> dims) {
  if (std::ranges::equal(x.type().dims(), dims)) return x;
  return apply("reshape", {x}, {{"shape", Dims(dims.begin(), dims.end())}});
}

Value Builder::transpose(Value x, Integers permutation) {
  Integers identity(permutation.size());
  std::iota(identity.begin(), identity.end(), 0);
  if (permutation == identity) return x;
  return apply("transpose", {x}, {{"permutation", std::move(permutation)}});
}

Value Builder::broadcast(Value x, std::span<const Dim> shape, Integers dims) {
  if (std::ranges::equal(x.type().dims(), shape)) return x;
  return apply("broadcast", {x}, {{"shape", Dims(shape.begin(), shape.end())}, {"dims", std::move(dims)}});
}

Value Builder::cast(Value x, DType dtype) {
  return x.dtype() == dtype ? x : apply("cast", {x}, {{"dtype", dtype}});
}

Value Builder::slice(Value x, Integers starts, Integers limits, Integers strides) {
  if (strides.empty()) strides.assign(starts.size(), 1);
  return apply("slice", {x},
               {{"starts", std::move(starts)}, {"limits", std::move(limits)}, {"strides", std::move(strides)}});
}

Value Builder::concatenate(std::span<const Value> parts, int axis) {
  if (parts.size() == 1) return parts[0];
  return apply("concatenate", parts, {{"axis", std::int64_t{axis}}});
}

std::string_view reduction_order(const Integers& axes, int rank) {
  return std::ranges::find(axes, rank - 1) != axes.end() ? "lanes" : "ascending";
}

Value Builder::reduce(Value x, Monoid monoid, Integers axes) {
  if (axes.empty()) return x;
  const std::string_view order = reduction_order(axes, x.rank());
  return apply("reduce", {x},
               {{"kind", std::string(monoid_name(monoid))},
                {"axes", std::move(axes)},
                {"order", std::string(order)}});
}

Value Builder::select(Value predicate, Value on_true, Value on_false) {
  return apply("select", {predicate, on_true, on_false});
}

Value Builder::compare(Value lhs, Value rhs, std::string_view direction) {
  return apply("compare", {lhs, rhs}, {{"direction", std::string(direction)}});
}

Value Builder::sum_to(Value x, Type type) {
  if (x.type() == type) return x;
  const int extra = x.rank() - type.rank();
  Integers axes;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis < extra || (type.dim(axis - extra) == Dim(1) && x.dim(axis) != Dim(1))) axes.push_back(axis);
  }
  return reshape(reduce(x, Monoid::sum, axes), type.dims());
}

Value Builder::accumulate(Value a, Value b) {
  if (!a) return b;
  if (!b) return a;
  return a + b;
}

namespace {

bool is_scalar_constant(Value v) {
  const Op* producer = v.builder->function().producer(v.id);
  return v.rank() == 0 && producer != nullptr && producer->is("constant");
}

Value binary(std::string_view op, Value a, Value b) {
  if (a.type() != b.type()) {
    if (is_scalar_constant(b)) b = b.builder->broadcast_scalar(b, a.type());
    else if (is_scalar_constant(a)) a = a.builder->broadcast_scalar(a, b.type());
  }
  return a.builder->apply(op, {a, b});
}

Value number(Value like, double value) { return like.builder->constant(like.type(), value); }

}  // namespace

Value operator+(Value a, Value b) { return binary("add", a, b); }
Value operator-(Value a, Value b) { return binary("sub", a, b); }
Value operator*(Value a, Value b) { return binary("mul", a, b); }
Value operator/(Value a, Value b) { return binary("div", a, b); }
Value operator-(Value a) { return unary("neg", a); }
Value operator+(Value a, double b) { return a + number(a, b); }
Value operator-(Value a, double b) { return a - number(a, b); }
Value operator-(double a, Value b) { return number(b, a) - b; }
Value operator*(Value a, double b) { return a * number(a, b); }
Value operator*(double a, Value b) { return number(b, a) * b; }
Value operator/(Value a, double b) { return a / number(a, b); }
Value operator/(double a, Value b) { return number(b, a) / b; }
Value unary(std::string_view op, Value x) { return x.builder->apply(op, {x}); }

Value BatchContext::batched_operand(int k) const {
  const Value x = operand(k);
  if (is_batched(k)) return x;
  std::vector<Dim> shape{size};
  Integers dims;
  for (int axis = 0; axis < x.rank(); ++axis) {
    shape.push_back(x.dim(axis));
    dims.push_back(axis + 1);
  }
  return builder.broadcast(x, shape, std::move(dims));
}

}  // namespace hyperion::ir

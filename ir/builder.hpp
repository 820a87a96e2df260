// builder.hpp: how ops come into being, typed and checked, with the pleasant spelling that derivative rules use.
//
// A Value is a builder and an id: `dx * (one - y * y)` appends three ops. Values of one builder only. Operators take
// equal types, or one rank-0 constant side that broadcasts; anything else goes through the named functions.
//
// A type error in a builder call is a bug of ours (rules are tested on every op and dtype), so it is a failed check; code
// that builds from user input calls infer_types() first or uses try_apply().
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "ir/module.hpp"

namespace hyperion::ir {

class Builder;

struct Value {
  Builder* builder = nullptr;
  ValueId id;

  bool valid() const { return id.valid(); }  // an invalid value stands for zero in derivative rules
  explicit operator bool() const { return valid(); }
  Type type() const;
  DType dtype() const { return type().dtype(); }
  int rank() const { return type().rank(); }
  Dim dim(int axis) const { return type().dim(axis); }
};

// The order of a reduction that nobody chose: by vector lanes where it walks along the last axis, else ascending
// (docs/decisions/0007-lanes-and-one-fma-chain.md).
std::string_view reduction_order(const Integers& axes, int rank);

class Builder {
 public:
  // Appends to the body of `function`, or inserts before an op.
  explicit Builder(Function& function, const Module* module = nullptr)
      : function_(&function), module_(module), block_(function.body()) {}

  Function& function() const { return *function_; }
  const Module* module() const { return module_; }
  void insert_before(OpId op);
  void append_to(BlockId block) { block_ = block, before_ = OpId{}; }
  BlockId block() const { return block_; }
  void set_location(Location location) { location_ = location; }
  Location location() const { return location_; }

  Value wrap(ValueId id) { return {this, id}; }
  Value parameter(Type type, std::string name = {}) { return wrap(function_->add_parameter(type, std::move(name), location_)); }

  // The general form: any op, by name.
  std::vector<Value> apply_all(std::string_view op, std::span<const Value> operands, Attributes attributes = {});
  Value apply(std::string_view op, std::initializer_list<Value> operands, Attributes attributes = {});
  Value apply(std::string_view op, std::span<const Value> operands, Attributes attributes = {});
  Result<OpId> try_apply(const OpDefinition& op, std::vector<ValueId> operands, Attributes attributes,
                         Diagnostics& diagnostics);
  // An op whose result types are known, as when an op is copied: nothing is inferred or checked.
  std::vector<Value> insert(const OpDefinition& op, std::vector<ValueId> operands, std::span<const Type> results,
                            Attributes attributes);
  void return_values(std::span<const Value> values);

  // Constants.
  Value constant(LiteralPtr literal);
  Value constant(Type type, double value) { return constant(Literal::splat(type, value)); }
  Value zeros(Type type) { return constant(type, 0.0); }
  Value ones(Type type) { return constant(type, 1.0); }

  // Views and casts that change nothing return their operand.
  Value reshape(Value x, std::span<const Dim> dims);
  Value transpose(Value x, Integers permutation);
  // `dims[k]` is the result axis that operand axis k becomes; operand axes of size 1 stretch. As XLA's
  // broadcast_in_dim.
  Value broadcast(Value x, std::span<const Dim> shape, Integers dims);
  Value broadcast_scalar(Value x, Type like) { return broadcast(x, like.dims(), {}); }
  Value cast(Value x, DType dtype);
  Value slice(Value x, Integers starts, Integers limits, Integers strides = {});
  Value concatenate(std::span<const Value> parts, int axis);
  Value reduce(Value x, Monoid monoid, Integers axes);  // in reduction_order()
  Value select(Value predicate, Value on_true, Value on_false);
  Value compare(Value lhs, Value rhs, std::string_view direction);  // "eq" "ne" "lt" "le" "gt" "ge"
  // Sums `x` down to `type`: the transpose of broadcasting.
  Value sum_to(Value x, Type type);
  // a + b, where an invalid value is zero.
  Value accumulate(Value a, Value b);

 private:
  Function* function_;
  const Module* module_;
  BlockId block_;
  OpId before_;
  Location location_;
};

Value operator+(Value a, Value b);
Value operator-(Value a, Value b);
Value operator*(Value a, Value b);
Value operator/(Value a, Value b);
Value operator-(Value a);
// With a number of the value's own dtype.
Value operator+(Value a, double b);
Value operator-(Value a, double b);
Value operator-(double a, Value b);
Value operator*(Value a, double b);
Value operator*(double a, Value b);
Value operator/(Value a, double b);
Value operator/(double a, Value b);
// An elementwise op of one operand by name: unary("exp", x).
Value unary(std::string_view op, Value x);

}  // namespace hyperion::ir

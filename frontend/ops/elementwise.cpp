#include "frontend/ops/elementwise.hpp"

#include "frontend/ops/recording.hpp"

namespace hyperion {
namespace {

using frontend::NodeRef;

Tensor unary(const ir::OpDefinition& op, const Operand& x) {
  return frontend::apply(op, {frontend::tensor_of(op.name, x).ref()}, {}, x.location());
}

Tensor binary(const ir::OpDefinition& op, const Operand& x, const Operand& y) {
  const Location where = x.location();
  frontend::Matched both = frontend::match(op.name, x, y, where);
  std::vector<NodeRef> inputs;
  inputs.reserve(2);
  inputs.push_back(std::move(both.lhs));
  inputs.push_back(std::move(both.rhs));
  return frontend::apply(op, std::move(inputs), {}, where);
}

Tensor comparison(const char* direction, const Operand& x, const Operand& y) {
  static const ir::OpDefinition& op = ir::op("compare");
  const Location where = x.location();
  frontend::Matched both = frontend::match("compare", x, y, where);
  ir::Attributes attributes;
  attributes.set("direction", std::string(direction));
  return frontend::apply(op, {both.lhs, both.rhs}, std::move(attributes), where);
}

Tensor logical(const ir::OpDefinition& op, const Operand& x, const Operand& y) {
  for (const Operand* side : {&x, &y}) {
    if (side->is_tensor() && !side->tensor().is_empty() && !is_boolean(side->tensor().dtype())) {
      frontend::raise(x.location(), "tensor.promotion",
                      "logical_" + std::string(op.name) + ": takes bool tensors, got " +
                          std::string(dtype_name(side->tensor().dtype())),
                      "compare with zero first: x != 0");
    }
  }
  return binary(op, x, y);
}

}  // namespace

#define HYP_UNARY(function, op_name)                       \
  Tensor function(Operand x) {                             \
    static const ir::OpDefinition& op = ir::op(op_name);   \
    return unary(op, x);                                   \
  }
#define HYP_BINARY(function, op_name)                      \
  Tensor function(Operand x, Operand y) {                  \
    static const ir::OpDefinition& op = ir::op(op_name);   \
    return binary(op, x, y);                               \
  }
#define HYP_COMPARISON(function, direction) \
  Tensor function(Operand x, Operand y) { return comparison(direction, x, y); }

HYP_BINARY(operator+, "add")
HYP_BINARY(operator-, "sub")
HYP_BINARY(operator*, "mul")
HYP_BINARY(operator/, "div")
HYP_BINARY(operator%, "rem")
HYP_UNARY(operator-, "neg")
HYP_UNARY(operator~, "not")
HYP_BINARY(operator&, "and")
HYP_BINARY(operator|, "or")
HYP_BINARY(operator^, "xor")
HYP_BINARY(operator<<, "shl")
HYP_BINARY(operator>>, "shr")
HYP_COMPARISON(operator==, "eq")
HYP_COMPARISON(operator!=, "ne")
HYP_COMPARISON(operator<, "lt")
HYP_COMPARISON(operator<=, "le")
HYP_COMPARISON(operator>, "gt")
HYP_COMPARISON(operator>=, "ge")

HYP_UNARY(abs, "abs")
HYP_UNARY(sign, "sign")
HYP_UNARY(floor, "floor")
HYP_UNARY(ceil, "ceil")
HYP_UNARY(round, "round")
HYP_UNARY(trunc, "trunc")
HYP_UNARY(sqrt, "sqrt")
HYP_UNARY(rsqrt, "rsqrt")
HYP_UNARY(exp, "exp")
HYP_UNARY(expm1, "expm1")
HYP_UNARY(log, "log")
HYP_UNARY(log1p, "log1p")
HYP_UNARY(sin, "sin")
HYP_UNARY(cos, "cos")
HYP_UNARY(tan, "tan")
HYP_UNARY(asin, "asin")
HYP_UNARY(acos, "acos")
HYP_UNARY(atan, "atan")
HYP_UNARY(sinh, "sinh")
HYP_UNARY(cosh, "cosh")
HYP_UNARY(tanh, "tanh")
HYP_UNARY(asinh, "asinh")
HYP_UNARY(acosh, "acosh")
HYP_UNARY(atanh, "atanh")
HYP_UNARY(erf, "erf")
HYP_UNARY(erf_inv, "erf_inv")
HYP_UNARY(lgamma, "lgamma")
HYP_UNARY(digamma, "digamma")
HYP_UNARY(is_finite, "is_finite")
HYP_UNARY(stop_gradient, "stop_gradient")
HYP_BINARY(pow, "pow")
HYP_BINARY(maximum, "max")
HYP_BINARY(minimum, "min")
HYP_BINARY(atan2, "atan2")
HYP_BINARY(nextafter, "nextafter")

#undef HYP_UNARY
#undef HYP_BINARY
#undef HYP_COMPARISON

Tensor logical_not(Operand x) {
  if (x.is_tensor() && !x.tensor().is_empty() && !is_boolean(x.tensor().dtype())) {
    frontend::raise(x.location(), "tensor.promotion",
                    "logical_not: takes a bool tensor, got " + std::string(dtype_name(x.tensor().dtype())),
                    "compare with zero first: x != 0");
  }
  return ~x;
}
Tensor operator!(Operand x) { return logical_not(x); }
Tensor logical_and(Operand x, Operand y) { return logical(ir::op("and"), x, y); }
Tensor logical_or(Operand x, Operand y) { return logical(ir::op("or"), x, y); }
Tensor logical_xor(Operand x, Operand y) { return logical(ir::op("xor"), x, y); }

Tensor is_nan(Operand x) { return x != x; }
Tensor square(Operand x) { return x * x; }
Tensor reciprocal(Operand x) { return Operand(1, x.where()) / x; }

Tensor fma(Operand x, Operand y, Operand z) {
  static const ir::OpDefinition& op = ir::op("fma");
  const Location where = x.location();
  // All three meet in one type and shape: first the types, then the shapes.
  const Tensor a = frontend::tensor_of("fma", x);
  const Tensor b(frontend::match_types("fma", a, y, where).rhs);
  const frontend::Matched ac = frontend::match_types("fma", b, z, where);
  const NodeRef typed_a = frontend::cast(a.ref(), ac.lhs.type().dtype(), where);
  const Type types[] = {typed_a.type(), ac.lhs.type(), ac.rhs.type()};
  const std::vector<Dim> dims = frontend::broadcast_dims("fma", types, where);
  return frontend::apply(op,
                         {frontend::broadcast(typed_a, dims, where), frontend::broadcast(ac.lhs, dims, where),
                          frontend::broadcast(ac.rhs, dims, where)},
                         {}, where);
}

Tensor where(Operand condition, Operand on_true, Operand on_false) {
  static const ir::OpDefinition& op = ir::op("select");
  const Location place = condition.location();
  const Tensor predicate = frontend::tensor_of("where", condition);
  const frontend::Matched sides = frontend::match_types("where", on_true, on_false, place);
  const Type types[] = {predicate.type(), sides.lhs.type(), sides.rhs.type()};
  const std::vector<Dim> dims = frontend::broadcast_dims("where", types, place);
  return frontend::apply(op,
                         {frontend::broadcast(predicate.ref(), dims, place), frontend::broadcast(sides.lhs, dims, place),
                          frontend::broadcast(sides.rhs, dims, place)},
                         {}, place);
}

Tensor clip(Operand x, Operand low, Operand high) {
  const frontend::UserLine line(x.where());
  return minimum(maximum(x, low), high);
}

Tensor cast(Operand x, DType dtype) {
  return Tensor(frontend::cast(frontend::tensor_of("cast", x).ref(), dtype, x.location()));
}

Tensor bitcast(Operand x, DType dtype) {
  static const ir::OpDefinition& op = ir::op("bitcast");
  ir::Attributes attributes;
  attributes.set("dtype", dtype);
  return frontend::apply(op, {frontend::tensor_of("bitcast", x).ref()}, std::move(attributes), x.location());
}

}  // namespace hyperion

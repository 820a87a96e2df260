#include "ir/logic/scalar.hpp"

#include "ir/op_definition.hpp"

namespace hyperion::ir {
namespace {

Scalar make(std::string_view name, DType result, std::initializer_list<Scalar> args,
            std::int64_t immediate = 0) {
  TermPool* pool = args.begin()->pool;
  std::vector<TermId> ids;
  for (const Scalar& arg : args) ids.push_back(arg.id);
  return {pool, pool->scalar(op(name), result, std::move(ids), immediate)};
}

Scalar same(std::string_view name, std::initializer_list<Scalar> args) {
  return make(name, args.begin()->dtype(), args);
}

Scalar comparison(Scalar a, Scalar b, std::int64_t direction) {
  return make("compare", DType::bool_, {a, b}, direction);
}

}  // namespace

Scalar number(Scalar like, double value) { return {like.pool, like.pool->literal(like.dtype(), value)}; }
Scalar integer(Scalar like, std::int64_t value) {
  return {like.pool, like.pool->literal_integer(like.dtype(), value)};
}

Scalar operator+(Scalar a, Scalar b) { return same("add", {a, b}); }
Scalar operator-(Scalar a, Scalar b) { return same("sub", {a, b}); }
Scalar operator*(Scalar a, Scalar b) { return same("mul", {a, b}); }
Scalar operator/(Scalar a, Scalar b) { return same("div", {a, b}); }
Scalar operator-(Scalar a) { return same("neg", {a}); }
Scalar operator+(Scalar a, double b) { return a + number(a, b); }
Scalar operator-(Scalar a, double b) { return a - number(a, b); }
Scalar operator-(double a, Scalar b) { return number(b, a) - b; }
Scalar operator*(Scalar a, double b) { return a * number(a, b); }
Scalar operator/(double a, Scalar b) { return number(b, a) / b; }
Scalar operator&(Scalar a, Scalar b) { return same("and", {a, b}); }
Scalar operator|(Scalar a, Scalar b) { return same("or", {a, b}); }
Scalar operator^(Scalar a, Scalar b) { return same("xor", {a, b}); }
Scalar operator~(Scalar a) { return same("not", {a}); }
Scalar operator<<(Scalar a, int bits) { return same("shl", {a, integer(a, bits)}); }
Scalar operator>>(Scalar a, int bits) { return same("shr", {a, integer(a, bits)}); }
Scalar operator<<(Scalar a, Scalar bits) { return same("shl", {a, bits}); }
Scalar operator>>(Scalar a, Scalar bits) { return same("shr", {a, bits}); }
Scalar operator==(Scalar a, Scalar b) { return comparison(a, b, 0); }
Scalar operator!=(Scalar a, Scalar b) { return comparison(a, b, 1); }
Scalar operator<(Scalar a, Scalar b) { return comparison(a, b, 2); }
Scalar operator<=(Scalar a, Scalar b) { return comparison(a, b, 3); }
Scalar operator>(Scalar a, Scalar b) { return comparison(a, b, 4); }
Scalar operator>=(Scalar a, Scalar b) { return comparison(a, b, 5); }

Scalar fma(Scalar a, Scalar b, Scalar c) { return same("fma", {a, b, c}); }
Scalar abs(Scalar a) { return same("abs", {a}); }
Scalar sqrt(Scalar a) { return same("sqrt", {a}); }
Scalar floor(Scalar a) { return same("floor", {a}); }
Scalar ceil(Scalar a) { return same("ceil", {a}); }
Scalar round(Scalar a) { return same("round", {a}); }
Scalar trunc(Scalar a) { return same("trunc", {a}); }
Scalar max(Scalar a, Scalar b) { return same("max", {a, b}); }
Scalar min(Scalar a, Scalar b) { return same("min", {a, b}); }
Scalar select(Scalar condition, Scalar on_true, Scalar on_false) {
  return make("select", on_true.dtype(), {condition, on_true, on_false});
}
Scalar cast(Scalar a, DType dtype) { return a.dtype() == dtype ? a : make("cast", dtype, {a}); }
Scalar bitcast(Scalar a, DType dtype) { return a.dtype() == dtype ? a : make("bitcast", dtype, {a}); }
Scalar is_nan(Scalar a) { return a != a; }

Scalar polynomial(Scalar x, std::span<const double> coefficients) {
  Scalar sum = number(x, coefficients.front());
  for (double coefficient : coefficients.subspan(1)) sum = fma(sum, x, number(x, coefficient));
  return sum;
}

Scalar call(std::string_view name, std::initializer_list<Scalar> arguments) {
  return same(name, arguments);
}

}  // namespace hyperion::ir

// scalar.hpp: writing a scalar function as arithmetic. What stands in an op's `expand`.
//
//   Scalar n = round(x * c.constant(1.4426950408889634));
//   return fma(polynomial(r, {...}), r * r, r) * ...;
//
// Operators build primitive terms in the pool (ir/logic/primitives.def says what each means); both operands have the
// same dtype. The result is data: interpreter, LLVM and CUDA all emit exactly these operations in this association.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "ir/logic/term.hpp"

namespace hyperion::ir {

struct Scalar {
  TermPool* pool = nullptr;
  TermId id;
  DType dtype() const { return (*pool)[id].dtype; }
};

// What an expansion gets: arguments already in the dtype to compute in (f32 or f64, unless the op `expands_any_dtype`).
struct ExpandContext {
  TermPool& pool;
  DType dtype;   // of the arguments (of the first, for `select`-like ops)
  DType result;  // the dtype to return
  std::vector<Scalar> arguments;
  std::int64_t immediate = 0;

  Scalar operator[](int k) const { return arguments[static_cast<std::size_t>(k)]; }
  Scalar constant(double value) const { return {&pool, pool.literal(dtype, value)}; }
  Scalar constant(DType type, double value) const { return {&pool, pool.literal(type, value)}; }
  Scalar integer(DType type, std::int64_t value) const { return {&pool, pool.literal_integer(type, value)}; }
  bool is_f32() const { return dtype == DType::f32; }
};

Scalar operator+(Scalar a, Scalar b);
Scalar operator-(Scalar a, Scalar b);
Scalar operator*(Scalar a, Scalar b);
Scalar operator/(Scalar a, Scalar b);
Scalar operator-(Scalar a);
Scalar operator+(Scalar a, double b);
Scalar operator-(Scalar a, double b);
Scalar operator-(double a, Scalar b);
Scalar operator*(Scalar a, double b);
Scalar operator/(double a, Scalar b);
Scalar operator&(Scalar a, Scalar b);
Scalar operator|(Scalar a, Scalar b);
Scalar operator^(Scalar a, Scalar b);
Scalar operator~(Scalar a);
Scalar operator<<(Scalar a, int bits);
Scalar operator>>(Scalar a, int bits);  // arithmetic for signed, logical for unsigned
Scalar operator<<(Scalar a, Scalar bits);
Scalar operator>>(Scalar a, Scalar bits);
// Comparisons give bool.
Scalar operator==(Scalar a, Scalar b);
Scalar operator!=(Scalar a, Scalar b);
Scalar operator<(Scalar a, Scalar b);
Scalar operator<=(Scalar a, Scalar b);
Scalar operator>(Scalar a, Scalar b);
Scalar operator>=(Scalar a, Scalar b);

Scalar fma(Scalar a, Scalar b, Scalar c);
Scalar abs(Scalar a);
Scalar sqrt(Scalar a);
Scalar floor(Scalar a);
Scalar ceil(Scalar a);
Scalar round(Scalar a);
Scalar trunc(Scalar a);
Scalar max(Scalar a, Scalar b);
Scalar min(Scalar a, Scalar b);
Scalar select(Scalar condition, Scalar on_true, Scalar on_false);
Scalar cast(Scalar a, DType dtype);
Scalar bitcast(Scalar a, DType dtype);
Scalar is_nan(Scalar a);  // a != a
// A number of the dtype of `like`.
Scalar number(Scalar like, double value);
Scalar integer(Scalar like, std::int64_t value);

// c[0]*x^(n-1) + ... + c[n-1], highest power first, by Horner's rule with fma.
Scalar polynomial(Scalar x, std::span<const double> coefficients);
inline Scalar polynomial(Scalar x, std::initializer_list<double> coefficients) {
  return polynomial(x, std::span(coefficients.begin(), coefficients.size()));
}
// Another op's scalar function: call("exp", x).
Scalar call(std::string_view op, std::initializer_list<Scalar> arguments);
inline Scalar call(std::string_view op, Scalar x) { return call(op, {x}); }

}  // namespace hyperion::ir

// elementwise.hpp: functions of each element. Operators are in tensor.hpp.
//
// Names are the array API's where it has one. Operands broadcast and promote (promotion.hpp). Functions of reals take
// floating tensors only; convert integers with to().
#pragma once

#include "frontend/tensor.hpp"

namespace hyperion {

// Functions of one operand.
Tensor abs(Operand x);
Tensor sign(Operand x);
Tensor floor(Operand x);
Tensor ceil(Operand x);
Tensor round(Operand x);  // to nearest, ties to even
Tensor trunc(Operand x);
Tensor sqrt(Operand x);
Tensor rsqrt(Operand x);
Tensor exp(Operand x);
Tensor expm1(Operand x);
Tensor log(Operand x);
Tensor log1p(Operand x);
Tensor sin(Operand x);
Tensor cos(Operand x);
Tensor tan(Operand x);
Tensor asin(Operand x);
Tensor acos(Operand x);
Tensor atan(Operand x);
Tensor sinh(Operand x);
Tensor cosh(Operand x);
Tensor tanh(Operand x);
Tensor asinh(Operand x);
Tensor acosh(Operand x);
Tensor atanh(Operand x);
Tensor erf(Operand x);
Tensor erf_inv(Operand x);
Tensor lgamma(Operand x);
Tensor digamma(Operand x);
Tensor is_finite(Operand x);
Tensor is_nan(Operand x);
Tensor logical_not(Operand x);
Tensor square(Operand x);
Tensor reciprocal(Operand x);

// Functions of two operands.
Tensor pow(Operand x, Operand y);
Tensor maximum(Operand x, Operand y);  // NaN if either is NaN
Tensor minimum(Operand x, Operand y);
Tensor atan2(Operand y, Operand x);
Tensor nextafter(Operand x, Operand towards);
Tensor logical_and(Operand x, Operand y);
Tensor logical_or(Operand x, Operand y);
Tensor logical_xor(Operand x, Operand y);

// Functions of three operands.
Tensor fma(Operand x, Operand y, Operand z);  // x * y + z, rounded once
Tensor where(Operand condition, Operand on_true, Operand on_false);
Tensor clip(Operand x, Operand low, Operand high);

// Element types.
Tensor cast(Operand x, DType dtype);
Tensor bitcast(Operand x, DType dtype);  // same bits, same width

// The identity, with derivative zero.
Tensor stop_gradient(Operand x);

}  // namespace hyperion

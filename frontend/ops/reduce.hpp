// reduce.hpp: many elements to one.
//
// `axes` empty means all. `keep_dims` leaves reduced axes with size 1. Means and variances take floating tensors; sums of
// 16- and 8-bit floats are carried in f32. A sum along the last axis is taken in 64 interleaved lanes, any other in
// ascending order (docs: reduce), so results are the same bits on every machine.
#pragma once

#include "frontend/tensor.hpp"

namespace hyperion {

Tensor sum(Operand x, Axes axes = {}, bool keep_dims = false);
Tensor prod(Operand x, Axes axes = {}, bool keep_dims = false);
Tensor max(Operand x, Axes axes = {}, bool keep_dims = false);
Tensor min(Operand x, Axes axes = {}, bool keep_dims = false);
Tensor mean(Operand x, Axes axes = {}, bool keep_dims = false);
// The mean squared distance from the mean, divided by count - correction: 0 is biased, 1 unbiased.
Tensor var(Operand x, Axes axes = {}, double correction = 0, bool keep_dims = false);
Tensor stddev(Operand x, Axes axes = {}, double correction = 0, bool keep_dims = false);
Tensor all(Operand x, Axes axes = {}, bool keep_dims = false);  // of bool tensors
Tensor any(Operand x, Axes axes = {}, bool keep_dims = false);
// log(sum(exp(x))), without overflow.
Tensor logsumexp(Operand x, Axes axes = {}, bool keep_dims = false);
Tensor norm(Operand x, Axes axes = {}, bool keep_dims = false);  // Euclidean

// The position (i64) of the first extremum along an axis.
Tensor argmax(Operand x, int axis = -1, bool keep_dims = false);
Tensor argmin(Operand x, int axis = -1, bool keep_dims = false);

// Running results along an axis; `exclusive` leaves out the element itself.
Tensor cumsum(Operand x, int axis, bool reverse = false, bool exclusive = false);
Tensor cumprod(Operand x, int axis, bool reverse = false, bool exclusive = false);
Tensor cummax(Operand x, int axis, bool reverse = false);
Tensor cummin(Operand x, int axis, bool reverse = false);

}  // namespace hyperion

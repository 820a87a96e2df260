// linalg.hpp: products of tensors.
//
// Every element of a product is one chain of fused multiply-adds in ascending order of the contracted axes, so its bits
// depend on neither blocking nor threads.
#pragma once

#include <string_view>
#include <vector>

#include "frontend/tensor.hpp"

namespace hyperion {

// NumPy's matmul: the last axis of x with the last but one of y; leading axes are a batch and broadcast; a vector is a
// row on the left and a column on the right.
Tensor matmul(Operand x, Operand y);
Tensor outer(Operand x, Operand y);  // of two vectors
Tensor dot(Operand x, Operand y);    // of two vectors
// Sums over `axes` pairs: axes x_axes[k] of x with y_axes[k] of y; the other axes follow in order.
Tensor tensordot(Operand x, Operand y, Axes x_axes, Axes y_axes);

// Einstein's notation: einsum("bij,bjk->bik", {x, y}). One letter an axis; letters missing on the right are summed over.
// Without "->" the result has the letters that occur once, in alphabetical order. A letter twice in one operand takes
// the diagonal. Sizes of one letter must agree.
Tensor einsum(std::string_view equation, std::vector<Tensor> operands,
              std::source_location where = std::source_location::current());

}  // namespace hyperion

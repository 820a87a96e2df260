// sorting.hpp: elements in order along an axis.
//
// Equal elements keep their order, also when the greatest come first. NaN is greater than every number: last, or first
// if `descending`. Values have derivatives, which go where the elements went; indices are i64.
#pragma once

#include "frontend/tensor.hpp"

namespace hyperion {

Tensor sort(Operand x, int axis = -1, bool descending = false);
// The indices for which take_along_axis gives what sort gives.
Tensor argsort(Operand x, int axis = -1, bool descending = false);

// The `count` largest (smallest) elements along an axis, in that order, and where they stand.
struct TopElements {
  Tensor values, indices;
};
TopElements top_k(Operand x, std::int64_t count, int axis = -1, bool largest = true);

}  // namespace hyperion

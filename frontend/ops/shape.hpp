// shape.hpp: the same elements in another arrangement. Axes may be negative: -1 is the last.
#pragma once

#include <span>
#include <vector>

#include "frontend/tensor.hpp"

namespace hyperion {

// Row-major order is kept. One size may be -1: what is left.
Tensor reshape(Operand x, Shape shape);
// Axes [start, end] become one.
Tensor flatten(Operand x, int start = 0, int end = -1);
// Axis k of the result is axis axes[k] of x; no axes: all reversed.
Tensor transpose(Operand x, Axes axes = {});
Tensor swap_axes(Operand x, int first, int second);
Tensor move_axis(Operand x, int from, int to);
// Removes axes of size 1: the ones listed, or all.
Tensor squeeze(Operand x, Axes axes = {});
// The result has size 1 at each of these of its axes.
Tensor unsqueeze(Operand x, Axes axes);
Tensor broadcast_to(Operand x, Shape shape);
std::vector<Tensor> broadcast_together(std::vector<Operand> tensors);
Tensor flip(Operand x, Axes axes = {});
// Each axis k repeated times[k]; times counts from the last axis.
Tensor tile(Operand x, std::vector<std::int64_t> times);
// Each element along the axis `times` times in a row.
Tensor repeat(Operand x, std::int64_t times, int axis);
// `low` and `high` elements of `value` around each axis; negative numbers crop.
Tensor pad(Operand x, std::vector<std::int64_t> low, std::vector<std::int64_t> high, double value = 0);

Tensor concatenate(std::vector<Tensor> parts, int axis = 0,
                   std::source_location where = std::source_location::current());
// Along a new axis. The parts have one shape.
Tensor stack(std::vector<Tensor> parts, int axis = 0,
             std::source_location where = std::source_location::current());
// Parts of equal size, or of the sizes listed.
std::vector<Tensor> split(Operand x, std::int64_t parts, int axis = 0);
std::vector<Tensor> split_sizes(Operand x, std::vector<std::int64_t> sizes, int axis = 0);

}  // namespace hyperion

// window.hpp: convolutions and pooling. Tensors are [batch, channels, spatial...], as in PyTorch.
#pragma once

#include <tuple>

#include "frontend/tensor.hpp"

namespace hyperion {

// A number for both spatial axes, or one for each.
struct Pair {
  std::int64_t height, width;
  constexpr Pair(std::int64_t both) : height(both), width(both) {}  // NOLINT: a number is a pair
  constexpr Pair(std::int64_t h, std::int64_t w) : height(h), width(w) {}
  auto static_members() const { return std::tuple(height, width); }
};

// Zeros around the input. `same` keeps the size where the stride is 1 (the odd one goes behind).
struct Padding {
  Pair amount = 0;
  bool is_same = false;
  constexpr Padding(std::int64_t both) : amount(both) {}                          // NOLINT
  constexpr Padding(Pair pair) : amount(pair) {}                                  // NOLINT
  static constexpr Padding same() {
    Padding padding(0);
    padding.is_same = true;
    return padding;
  }
  auto static_members() const { return std::tuple(amount.height, amount.width, is_same); }
};

struct ConvOptions {
  Pair stride = 1;
  Padding padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
};

// x [n, c, h, w] with weight [o, c / groups, kh, kw]: cross-correlation, [n, o, h', w'].
Tensor conv2d(Operand x, const Tensor& weight, ConvOptions options = {});
// x [n, c, w] with weight [o, c / groups, kw]; the widths of the options count.
Tensor conv1d(Operand x, const Tensor& weight, ConvOptions options = {});

struct PoolOptions {
  Pair stride = 0;  // 0: the kernel's size
  Pair padding = 0;
  Pair dilation = 1;            // max_pool2d only
  bool count_include_pad = true;  // avg_pool2d only: padding counts as zeros
};

// Over windows of the last two axes. Padding of a maximum is minus infinity.
Tensor max_pool2d(Operand x, Pair kernel, PoolOptions options = {});
Tensor avg_pool2d(Operand x, Pair kernel, PoolOptions options = {});

// Every window along the listed axes, as new axes at the end.
Tensor sliding_window(Operand x, Axes axes, std::vector<std::int64_t> sizes, std::vector<std::int64_t> strides = {},
                      std::vector<std::int64_t> dilations = {});

}  // namespace hyperion

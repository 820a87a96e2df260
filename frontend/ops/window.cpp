#include "frontend/ops/window.hpp"

#include <limits>

#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/ops/shape.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

using frontend::raise;
using frontend::tensor_of;

// Padding before and behind along one axis.
std::pair<std::int64_t, std::int64_t> sides(const Padding& padding, std::int64_t amount, std::int64_t kernel,
                                            std::int64_t dilation) {
  if (!padding.is_same) return {amount, amount};
  const std::int64_t total = dilation * (kernel - 1);
  return {total / 2, total - total / 2};
}

Tensor convolve(std::string_view name, const Operand& operand, const Tensor& weight, const ConvOptions& options,
                int spatial) {
  static const ir::OpDefinition& op = ir::op("conv");
  const Location where = operand.location();
  const Tensor x = tensor_of(name, operand);
  if (weight.is_empty() || x.rank() != spatial + 2 || weight.rank() != spatial + 2) {
    raise(where, "tensor.axis",
          format("{}: takes an input and a weight of rank {}, got {} and {}", name, spatial + 2, x.type().text(),
                 weight.is_empty() ? "an empty tensor" : weight.type().text()));
  }
  if (options.padding.is_same && (options.stride.height != 1 || options.stride.width != 1)) {
    raise(where, "tensor.window", format("{}: padding \"same\" needs stride 1", name));
  }
  const Shape kernel = weight.shape();
  const auto [top, bottom] = sides(options.padding, options.padding.amount.height, kernel[2], options.dilation.height);
  const auto [left, right] = sides(options.padding, options.padding.amount.width, kernel.back(), options.dilation.width);
  const auto listed = [&](std::int64_t height, std::int64_t width) {
    return spatial == 2 ? ir::Integers{height, width} : ir::Integers{width};
  };
  ir::Attributes attributes;
  attributes.set("dilations", listed(options.dilation.height, options.dilation.width));
  attributes.set("groups", options.groups);
  attributes.set("padding_high", listed(bottom, right));
  attributes.set("padding_low", listed(top, left));
  attributes.set("strides", listed(options.stride.height, options.stride.width));
  const frontend::Matched both = frontend::match_types(name, x, weight, where);
  return frontend::apply(op, {both.lhs, both.rhs}, std::move(attributes), where);
}

// All windows of a pooling op, [..., h', w', kh, kw].
Tensor pooling_windows(std::string_view name, const Tensor& x, Pair kernel, const PoolOptions& options, double padding,
                       Location where) {
  if (x.rank() < 2) raise(where, "tensor.axis", format("{}: needs two axes, got {}", name, x.type().text()));
  if (kernel.height < 1 || kernel.width < 1 || options.padding.height < 0 || options.padding.width < 0 ||
      options.stride.height < 0 || options.stride.width < 0) {
    raise(where, "tensor.window", format("{}: sizes of the kernel, stride and padding cannot be negative", name));
  }
  Tensor padded = x;
  if (options.padding.height != 0 || options.padding.width != 0) {
    std::vector<std::int64_t> around(static_cast<std::size_t>(x.rank()), 0);
    around[around.size() - 2] = options.padding.height;
    around.back() = options.padding.width;
    padded = pad(x, around, around, padding);
  }
  const Pair stride{options.stride.height == 0 ? kernel.height : options.stride.height,
                    options.stride.width == 0 ? kernel.width : options.stride.width};
  return sliding_window(padded, {-2, -1}, {kernel.height, kernel.width}, {stride.height, stride.width},
                        {options.dilation.height, options.dilation.width});
}

}  // namespace

Tensor conv2d(Operand x, const Tensor& weight, ConvOptions options) { return convolve("conv2d", x, weight, options, 2); }
Tensor conv1d(Operand x, const Tensor& weight, ConvOptions options) { return convolve("conv1d", x, weight, options, 1); }

Tensor sliding_window(Operand operand, Axes axes, std::vector<std::int64_t> sizes, std::vector<std::int64_t> strides,
                      std::vector<std::int64_t> dilations) {
  static const ir::OpDefinition& op = ir::op("sliding_window");
  const Tensor x = tensor_of("sliding_window", operand);
  ir::Integers at;
  for (int axis : axes) at.push_back(frontend::normalize_axis("sliding_window", axis, x.rank(), operand.location()));
  if (strides.empty()) strides.assign(sizes.size(), 1);
  if (dilations.empty()) dilations.assign(sizes.size(), 1);
  ir::Attributes attributes;
  attributes.set("axes", std::move(at));
  attributes.set("dilations", std::move(dilations));
  attributes.set("sizes", std::move(sizes));
  attributes.set("strides", std::move(strides));
  return frontend::apply(op, {x.ref()}, std::move(attributes), operand.location());
}

Tensor max_pool2d(Operand operand, Pair kernel, PoolOptions options) {
  const frontend::UserLine line(operand.where());
  const Tensor x = tensor_of("max_pool2d", operand);
  const double lowest = -std::numeric_limits<double>::infinity();  // of integers: the smallest one
  return max(pooling_windows("max_pool2d", x, kernel, options, lowest, operand.location()), {-2, -1});
}

Tensor avg_pool2d(Operand operand, Pair kernel, PoolOptions options) {
  const frontend::UserLine line(operand.where());
  const Tensor x = tensor_of("avg_pool2d", operand);
  const Location where = operand.location();
  const Tensor total = sum(pooling_windows("avg_pool2d", x, kernel, options, 0, where), {-2, -1});
  if (options.count_include_pad) return total / static_cast<double>(kernel.height * kernel.width);
  const Shape shape = x.shape();
  const Tensor one = ones({shape[shape.size() - 2], shape.back()}, x.dtype());
  return total / sum(pooling_windows("avg_pool2d", one, kernel, options, 0, where), {-2, -1});
}

}  // namespace hyperion

#include "frontend/ops/window.hpp"

#include "frontend/ops/recording.hpp"
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

ir::Attributes pooling(Pair kernel, const PoolOptions& options) {
  const Pair stride{options.stride.height == 0 ? kernel.height : options.stride.height,
                    options.stride.width == 0 ? kernel.width : options.stride.width};
  const ir::Integers padding{options.padding.height, options.padding.width};
  return {{"dilations", ir::Integers{options.dilation.height, options.dilation.width}},
          {"padding_high", padding},
          {"padding_low", padding},
          {"strides", ir::Integers{stride.height, stride.width}},
          {"window", ir::Integers{kernel.height, kernel.width}}};
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
  static const ir::OpDefinition& op = ir::op("max_pool");
  const Tensor x = tensor_of("max_pool2d", operand);
  return frontend::apply(op, {x.ref()}, pooling(kernel, options), operand.location());
}

Tensor avg_pool2d(Operand operand, Pair kernel, PoolOptions options) {
  static const ir::OpDefinition& op = ir::op("avg_pool");
  const Tensor x = tensor_of("avg_pool2d", operand);
  ir::Attributes attributes = pooling(kernel, options);
  attributes.set("count_include_pad", options.count_include_pad);
  return frontend::apply(op, {x.ref()}, std::move(attributes), operand.location());
}

}  // namespace hyperion

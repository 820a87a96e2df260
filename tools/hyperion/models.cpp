#include "tools/hyperion/models.hpp"

#include "frontend/ops/creation.hpp"
#include "frontend/ops/shape.hpp"

namespace hyperion::tools {
namespace {

nn::Linear he_linear(const random::Key& key, std::int64_t in, std::int64_t out) {
  return {nn::kaiming_uniform(key, {out, in}), zeros({out})};
}

// No ReLU follows the last layer, and small first logits keep the first steps small.
nn::Linear last_linear(const random::Key& key, std::int64_t in) {
  return {nn::fan_in_uniform(key, {kClasses, in}, static_cast<double>(in)), zeros({kClasses})};
}

nn::Conv2d he_conv(const random::Key& key, std::int64_t in, std::int64_t out) {
  return {nn::kaiming_uniform(key, {out, in, 3, 3}), zeros({out}), {.padding = Padding::same()}};
}

}  // namespace

Mlp Mlp::create(const random::Key& key, ImageSize size) {
  constexpr std::int64_t kHidden = 512;
  const auto [hidden_key, out_key] = random::split<2>(key);
  return {he_linear(hidden_key, size.height * size.width, kHidden), last_linear(out_key, kHidden)};
}

Tensor Mlp::operator()(const Tensor& images) const {
  return out(nn::relu(hidden(images.flatten(1))));
}

Cnn Cnn::create(const random::Key& key, ImageSize size) {
  constexpr std::int64_t kHidden = 128;
  const auto keys = random::split<4>(key);
  return {he_conv(keys[0], 1, 16), he_conv(keys[1], 16, 32),
          he_linear(keys[2], 32 * (size.height / 4) * (size.width / 4), kHidden),
          last_linear(keys[3], kHidden)};
}

Tensor Cnn::operator()(const Tensor& images) const {
  const Tensor pixels = images.reshape({images.dim(0), 1, images.dim(1), images.dim(2)});
  const Tensor coarse = max_pool2d(nn::relu(first(pixels)), 2);
  const Tensor coarser = max_pool2d(nn::relu(second(coarse)), 2);
  return out(nn::relu(hidden(coarser.flatten(1))));
}

}  // namespace hyperion::tools

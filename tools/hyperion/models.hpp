// models.hpp: the classifiers that `hyperion train` knows, each a plain struct of layers.
//
// A model maps images f32[n, height, width] to logits f32[n, 10]. Weights before a ReLU start
// from He's uniform distribution, the last layer's smaller, and biases at zero. The same key gives
// the same bits everywhere.
#pragma once

#include "frontend/nn/layers.hpp"
#include "frontend/random.hpp"

namespace hyperion::tools {

inline constexpr std::int64_t kClasses = 10;

struct ImageSize {
  std::int64_t height = 28;
  std::int64_t width = 28;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

// Pixels - 512 - 10, ReLU between.
struct Mlp {
  nn::Linear hidden, out;
  static Mlp create(const random::Key& key, ImageSize size);
  Tensor operator()(const Tensor& images) const;
};

// Two rounds of 3 x 3 convolution (16, then 32 channels), ReLU and 2 x 2 maximum, then 128 - 10.
struct Cnn {
  nn::Conv2d first, second;
  nn::Linear hidden, out;
  static Cnn create(const random::Key& key, ImageSize size);
  Tensor operator()(const Tensor& images) const;
};

}  // namespace hyperion::tools

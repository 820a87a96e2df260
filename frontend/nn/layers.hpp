// layers.hpp: layers are plain structs of parameters; models are structs of layers.
//
//   struct Net {
//     nn::Linear hidden, out;
//     Tensor operator()(Operand x) const { return out(nn::relu(hidden(x))); }
//   };
//
// A layer's tensors are its parameters; its numbers are static (tree.hpp). Names, shapes, defaults and first values are
// PyTorch's, so a state dict fits by name. Nothing is hidden: running statistics are a value that goes in and comes out
// (BatchNorm), and what is random takes a key (Dropout). `training` is a C++ bool, so each mode is a program of its own.
#pragma once

#include <optional>
#include <tuple>
#include <utility>

#include "frontend/nn/activations.hpp"
#include "frontend/nn/init.hpp"
#include "frontend/ops/window.hpp"
#include "frontend/random.hpp"
#include "frontend/tensor.hpp"

namespace hyperion::nn {

struct LayerOptions {
  bool bias = true;
  DType dtype = DType::f32;
};

// y = x W^T + b over the last axis.
struct Linear {
  Tensor weight;  // [out, in]
  std::optional<Tensor> bias;
  static Linear create(const random::Key& key, std::int64_t in, std::int64_t out, LayerOptions options = {});
  Tensor operator()(Operand x) const;
};

struct Conv1d {
  Tensor weight;  // [out, in / groups, width]
  std::optional<Tensor> bias;
  ConvOptions options;
  static Conv1d create(const random::Key& key, std::int64_t in, std::int64_t out, std::int64_t kernel,
                       ConvOptions options = {}, LayerOptions layer = {});
  Tensor operator()(Operand x) const;
};

struct Conv2d {
  Tensor weight;  // [out, in / groups, height, width]
  std::optional<Tensor> bias;
  ConvOptions options;
  static Conv2d create(const random::Key& key, std::int64_t in, std::int64_t out, Pair kernel, ConvOptions options = {},
                       LayerOptions layer = {});
  Tensor operator()(Operand x) const;
};

// Rows of a table. The row at padding_index starts at zero and gets no gradient; -1 is the last row.
struct Embedding {
  Tensor weight;  // [count, width]
  std::optional<std::int64_t> padding_index;
  static Embedding create(const random::Key& key, std::int64_t count, std::int64_t width,
                          std::optional<std::int64_t> padding_index = {}, DType dtype = DType::f32,
                          std::source_location where = std::source_location::current());
  Tensor operator()(const Tensor& indices, std::source_location where = std::source_location::current()) const;
};

// Over the last axes, those of `weight`. Biased variance.
struct LayerNorm {
  Tensor weight;
  std::optional<Tensor> bias;
  double epsilon = 1e-5;
  static LayerNorm create(Shape normalized, LayerOptions options = {}, double epsilon = 1e-5);
  Tensor operator()(Operand x) const;
};

// x / sqrt(mean(x^2) + epsilon) * weight. PyTorch's default epsilon is that of the type; checkpoints say theirs.
struct RMSNorm {
  Tensor weight;
  double epsilon = 1e-6;
  static RMSNorm create(Shape normalized, double epsilon = 1e-6, DType dtype = DType::f32);
  Tensor operator()(Operand x) const;
};

struct BatchNormState {
  Tensor running_mean, running_var;
  Tensor num_batches_tracked;  // i64
};

// Per channel (axis 1), over all other axes. Training normalises with the batch's biased variance and stores the unbiased
// one: running = (1 - momentum) running + momentum batch. Without momentum, the running values are plain averages.
struct BatchNorm {
  Tensor weight, bias;
  double epsilon = 1e-5;
  std::optional<double> momentum = 0.1;
  static std::pair<BatchNorm, BatchNormState> create(std::int64_t channels, DType dtype = DType::f32);
  std::pair<Tensor, BatchNormState> operator()(Operand x, const BatchNormState& state, bool training) const;
};
using BatchNorm1d = BatchNorm;
using BatchNorm2d = BatchNorm;

// In training, zero with probability p and the rest scaled by 1 / (1 - p); else the identity.
struct Dropout {
  double p = 0.5;
  Tensor operator()(Operand x, const random::Key& key, bool training) const;
};

struct Flatten {
  int start = 1, end = -1;
  Tensor operator()(Operand x) const;
};
struct MaxPool2d {
  Pair kernel = 2;
  PoolOptions options;
  Tensor operator()(Operand x) const { return max_pool2d(x, kernel, options); }
};
struct AvgPool2d {
  Pair kernel = 2;
  PoolOptions options;
  Tensor operator()(Operand x) const { return avg_pool2d(x, kernel, options); }
};

// Layers one after another, named "0", "1", ... For layers that take nothing but their input.
template <class... Layers>
struct Sequential {
  using transparent_tree = void;
  std::tuple<Layers...> layers;
  Tensor operator()(Operand x) const {
    const frontend::UserLine line(x.where());
    Tensor value = x.tensor();
    std::apply([&](const auto&... layer) { ((value = layer(value)), ...); }, layers);
    return value;
  }
};
template <class... Layers>
Sequential<Layers...> sequential(Layers... layers) {
  return {std::tuple<Layers...>(std::move(layers)...)};
}

}  // namespace hyperion::nn

// Parts of training a language model, and a small step as a whole.
#include <cmath>

#include "frontend/hyperion.hpp"
#include "frontend/nn/losses.hpp"
#include "frontend/optim/optimizers.hpp"
#include "ir/support/format.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {
namespace {

// ---- cross entropy: the loss and the gradient of the logits

Case cross_entropy(DType dtype, std::int64_t tokens, std::int64_t classes) {
  Case c{.suite = "training",
         .name = "cross entropy forward and backward",
         .shape = format("{}x{}", tokens, classes),
         .dtype = std::string(dtype_name(dtype)),
         .unit = "us"};
  c.inputs = {{{tokens, classes}, dtype}, {{tokens}, DType::i32, Noise::index, classes}};
  c.program = [](const std::vector<Tensor>& t) {
    const auto loss = [&](const Tensor& logits) { return nn::cross_entropy(logits, t[1]); };
    const auto [value, gradient] = value_and_grad(loss)(t[0]);
    return std::vector<Tensor>{value, gradient};
  };
  c.reference = [=, at = host_elements(c.inputs)](int output, std::int64_t index) -> std::optional<Expected> {
    if (output == 0) return std::nullopt;
    const std::int64_t row = index / classes;
    double sum = 0;
    for (std::int64_t k = 0; k < classes; ++k) sum += std::exp(at(0, row * classes + k));
    const double probability = std::exp(at(0, index)) / sum;
    const double is_target = static_cast<double>(index % classes) == at(1, row) ? 1 : 0;
    const double scale = 1 / static_cast<double>(tokens);
    return Expected{(probability - is_target) * scale, 4 * rounding(dtype) * (probability + is_target) * scale};
  };
  return c;
}

// ---- AdamW

// The tensors of GPT-2 124M but for the positions: 123.6 M numbers. Each matrix with a bias or norm beside it.
std::vector<Shape> gpt2_parameters(Scale scale) {
  constexpr int kLayers = 12;
  const std::int64_t width = scale(768);
  std::vector<Shape> shapes{{scale(50257), width}};
  for (int layer = 0; layer < kLayers; ++layer) {
    for (const auto& [in, out] : {std::pair<int, int>{1, 3}, {1, 1}, {1, 4}, {4, 1}}) {
      shapes.push_back({out * width, in * width});
      shapes.push_back({out * width});
    }
    for (int norm = 0; norm < 4; ++norm) shapes.push_back({width});
  }
  shapes.push_back({width});
  shapes.push_back({width});
  return shapes;
}

Case adamw(const std::string& name, const std::vector<Shape>& shapes) {
  std::int64_t count = 0;
  for (const Shape& shape : shapes) count += Input{shape}.size();
  constexpr double kBytesPerParameter = 28;  // four f32 read, three written
  const auto tensors = shapes.size();
  Case c{.suite = "training",
         .name = name,
         .shape = format("{} tensor{}, {:.1f} M", tensors, tensors == 1 ? "" : "s", 1e-6 * static_cast<double>(count)),
         .dtype = "f32",
         .unit = "TB/s",
         .work = kBytesPerParameter * static_cast<double>(count)};
  // Parameters, gradients, first moments, second moments, then the step and the learning rate.
  for (const Noise noise : {Noise::normal, Noise::normal, Noise::normal, Noise::positive}) {
    for (const Shape& shape : shapes) c.inputs.push_back({shape, DType::f32, noise});
  }
  c.inputs.push_back({{}, DType::i64, Noise::index, 1000});
  c.inputs.push_back({{}, DType::f32, Noise::positive});
  c.program = [tensors](const std::vector<Tensor>& t) {
    const optim::AdamW rule;
    std::vector<Tensor> results;
    for (std::size_t k = 0; k < tensors; ++k) {
      const optim::Item item = rule.step({t[k], t[2 * tensors + k], t[3 * tensors + k], {}}, t[tensors + k],
                                         {t[4 * tensors], t[4 * tensors + 1]});
      results.insert(results.end(), {item.parameter, item.first, item.second});
    }
    return results;
  };
  c.reference = [tensors, at = host_elements(c.inputs)](int output, std::int64_t i) -> std::optional<Expected> {
    const int n = static_cast<int>(tensors), k = output / 3;
    const double p = at(k, i), g = at(n + k, i), m = at(2 * n + k, i), v = at(3 * n + k, i);
    const double first = 0.9 * m + 0.1 * g, second = 0.999 * v + 0.001 * g * g;
    if (output % 3 == 1) return Expected{first, 1e-5 * (std::fabs(m) + std::fabs(g))};
    if (output % 3 == 2) return Expected{second, 1e-5 * (v + g * g)};
    const double step = at(4 * n, 0) + 1, rate = at(4 * n + 1, 0);
    const double change = rate * (first / (1 - std::pow(0.9, step))) /
                          (std::sqrt(second / (1 - std::pow(0.999, step))) + 1e-8);
    return Expected{p * (1 - rate * 0.01) - change, 1e-3 * (std::fabs(p) + std::fabs(change))};
  };
  return c;
}

// ---- embeddings

struct Table {
  std::int64_t vocabulary, width, tokens;
};

Case embedding(DType dtype, bool is_gather, Table size) {
  const auto [vocabulary, width, tokens] = size;
  const double row_bytes = static_cast<double>(width) * static_cast<double>(byte_size(dtype));
  Case c{.suite = "training",
         .name = is_gather ? "embedding" : "embedding gradient",
         .shape = format("{} of {}x{}", tokens, vocabulary, width),
         .dtype = std::string(dtype_name(dtype)),
         .unit = "TB/s",
         // A row read and written for each token; or read for each token, and the table written.
         .work = row_bytes * static_cast<double>(is_gather ? 2 * tokens : tokens + vocabulary)};
  const Input places{{tokens}, DType::i32, Noise::index, vocabulary};
  if (is_gather) {
    c.inputs = {{{vocabulary, width}, dtype}, places};
    c.program = [](const std::vector<Tensor>& t) { return std::vector<Tensor>{take(t[0], t[1], 0)}; };
    c.reference = [width = size.width, at = host_elements(c.inputs)](int, std::int64_t i) {
      const auto row = static_cast<std::int64_t>(at(1, i / width));
      return Expected{at(0, row * width + i % width), 0};
    };
    return c;
  }
  c.inputs = {{{tokens, width}, dtype}, places};
  c.program = [dtype, size](const std::vector<Tensor>& t) {
    return std::vector<Tensor>{scatter(zeros({size.vocabulary, size.width}, dtype), t[1], t[0], "add")};
  };
  c.reference = [dtype, width = size.width, tokens = size.tokens, at = host_elements(c.inputs)](int, std::int64_t i) {
    double sum = 0, magnitude = 0;
    for (std::int64_t token = 0; token < tokens; ++token) {
      if (static_cast<std::int64_t>(at(1, token)) != i / width) continue;
      const double term = at(0, token * width + i % width);
      sum += term, magnitude += std::fabs(term);
    }
    return Expected{sum, rounding(dtype) * magnitude};
  };
  return c;
}

}  // namespace

std::vector<Case> training_cases(Scale scale) {
  const std::vector<Shape> shapes = gpt2_parameters(scale);
  std::int64_t count = 0;
  for (const Shape& shape : shapes) count += Input{shape}.size();
  std::vector<Case> cases{cross_entropy(DType::bf16, scale(16384), scale(50304)),
                          cross_entropy(DType::f32, scale(16384), scale(50304)),
                          adamw("AdamW, GPT-2 124M", shapes), adamw("AdamW, flat", {{count}})};
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const bool is_gather : {true, false}) cases.push_back(embedding(dtype, is_gather, {scale(50304), scale(768), scale(16384)}));
  }
  return cases;
}

}  // namespace hyperion::benchmark

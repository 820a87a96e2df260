// Layers, losses and initialisers against formulas written out in double precision.
#include <gtest/gtest.h>

#include "frontend/hyperion.hpp"
#include "frontend/testing.hpp"

namespace hyperion {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::expect_close;
using testing::numbers;

Tensor sample(Shape shape, double phase) {
  std::int64_t count = 1;
  for (std::int64_t size : shape) count *= size;
  return from_vector(numbers(static_cast<std::size_t>(count), phase), std::move(shape));
}

// f of each element.
Doubles mapped(const Tensor& x, double (*f)(double)) {
  Doubles out = x.to_vector<double>();
  for (double& v : out) v = f(v);
  return out;
}

TEST(ActivationTest, FollowTheirFormulas) {
  const Tensor x = tensor({-30.0, -2.0, -0.5, 0.0, 0.5, 2.0, 30.0}, DType::f64);
  expect_close(nn::relu(x), mapped(x, [](double v) { return v > 0 ? v : 0; }), 1e-12);
  expect_close(nn::leaky_relu(x), mapped(x, [](double v) { return v > 0 ? v : 0.01 * v; }), 1e-12);
  expect_close(nn::elu(x), mapped(x, [](double v) { return v > 0 ? v : std::expm1(v); }), 1e-12);
  expect_close(nn::sigmoid(x), mapped(x, [](double v) { return 1 / (1 + std::exp(-v)); }), 1e-12);
  expect_close(nn::silu(x), mapped(x, [](double v) { return v / (1 + std::exp(-v)); }), 1e-12);
  expect_close(nn::gelu(x), mapped(x, [](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); }), 1e-12);
  expect_close(nn::gelu(x, true), mapped(x, [](double v) {
                 return 0.5 * v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
               }), 1e-12);
  expect_close(nn::softplus(x), mapped(x, [](double v) { return v > 20 ? v : std::log1p(std::exp(v)); }), 1e-12);
  expect_close(nn::log_sigmoid(x), mapped(x, [](double v) { return -std::log1p(std::exp(-std::fabs(v))) + std::min(v, 0.0); }),
               1e-12);
}

TEST(LayerTest, LinearIsXTimesWTransposedPlusB) {
  const auto layer = nn::Linear::create(random::key(1), 3, 2);
  EXPECT_EQ(layer.weight.shape(), (Shape{2, 3}));
  const Tensor x = sample({4, 3}, 0).to(DType::f32);
  const Doubles w = layer.weight.to_vector<double>(), b = layer.bias->to_vector<double>(), v = x.to_vector<double>();
  Doubles expected;
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t o = 0; o < 2; ++o) {
      double total = b[o];
      for (std::size_t k = 0; k < 3; ++k) total += v[i * 3 + k] * w[o * 3 + k];
      expected.push_back(total);
    }
  }
  expect_close(layer(x), expected);
  // U(-1/sqrt(3), 1/sqrt(3)), weight and bias alike.
  for (double value : w) EXPECT_LE(std::fabs(value), 1 / std::sqrt(3.0));
  EXPECT_FALSE(nn::Linear::create(random::key(1), 3, 2, {.bias = false}).bias.has_value());
}

TEST(LayerTest, NormsFollowTheirFormulas) {
  const Tensor x = sample({2, 4}, 0);
  nn::LayerNorm layer = nn::LayerNorm::create({4}, {.dtype = DType::f64});
  layer.weight = sample({4}, 1);
  layer.bias = sample({4}, 2);
  nn::RMSNorm rms = nn::RMSNorm::create({4}, 1e-6, DType::f64);
  rms.weight = layer.weight;
  const Doubles v = x.to_vector<double>(), w = layer.weight.to_vector<double>(), b = layer.bias->to_vector<double>();
  Doubles normed, root;
  for (std::size_t i = 0; i < 2; ++i) {
    double total = 0, squares = 0, spread = 0;
    for (std::size_t k = 0; k < 4; ++k) total += v[i * 4 + k], squares += v[i * 4 + k] * v[i * 4 + k];
    for (std::size_t k = 0; k < 4; ++k) spread += (v[i * 4 + k] - total / 4) * (v[i * 4 + k] - total / 4);
    for (std::size_t k = 0; k < 4; ++k) {
      normed.push_back((v[i * 4 + k] - total / 4) / std::sqrt(spread / 4 + 1e-5) * w[k] + b[k]);
      root.push_back(v[i * 4 + k] / std::sqrt(squares / 4 + 1e-6) * w[k]);
    }
  }
  expect_close(layer(x), normed, 1e-12);
  expect_close(rms(x), root, 1e-12);
}

TEST(LayerTest, BatchNormNeedsMoreThanOneValue) {
  const auto [layer, state] = nn::BatchNorm1d::create(2);
  EXPECT_EQ(error_of([&, &norm = layer, &before = state] { norm(ones({1, 2}), before, true); }),
            "frontend/nn/nn_test.cpp:<line>: error: BatchNorm: f32[1, 2] has one value for each channel, which has no "
            "variance [nn.statistics]\n  hint: train on larger batches");
  EXPECT_EQ(layer(ones({1, 2}), state, false).first.size(), 2);
}

TEST(LayerTest, EmbeddingsCountPaddingFromBothEnds) {
  const nn::Embedding last = nn::Embedding::create(random::key(1), 3, 1, -1);
  EXPECT_EQ(last.weight.to_vector<double>()[2], 0);
  const auto loss = [](const nn::Embedding& table) { return sum(table(tensor({0, 2, 2}))); };
  EXPECT_EQ(grad(loss)(last).weight.to_vector<double>(), (Doubles{1, 0, 0}));
  EXPECT_EQ(error_of([] { nn::Embedding::create(random::key(1), 3, 1, -4); }),
            "frontend/nn/nn_test.cpp:<line>: error: Embedding: row -4 is not in a table of 3 rows [nn.row]");
}

TEST(LayerTest, BatchNormKeepsItsStateOutside) {
  auto [layer, state] = nn::BatchNorm2d::create(2, DType::f64);
  const Tensor x = sample({3, 2, 2, 1}, 0);
  const auto [y, after] = layer(x, state, true);
  const Doubles v = x.to_vector<double>();
  Doubles expected(v.size()), means, variances;
  for (std::size_t c = 0; c < 2; ++c) {
    double total = 0, spread = 0;
    for (std::size_t n = 0; n < 3; ++n) total += v[n * 4 + c * 2] + v[n * 4 + c * 2 + 1];
    for (std::size_t n = 0; n < 3; ++n) {
      for (std::size_t k = 0; k < 2; ++k) spread += std::pow(v[n * 4 + c * 2 + k] - total / 6, 2);
    }
    for (std::size_t n = 0; n < 3; ++n) {
      for (std::size_t k = 0; k < 2; ++k) {
        const std::size_t at = n * 4 + c * 2 + k;
        expected[at] = (v[at] - total / 6) / std::sqrt(spread / 6 + 1e-5);
      }
    }
    means.push_back(0.1 * total / 6);
    variances.push_back(0.9 + 0.1 * spread / 5);  // unbiased
  }
  expect_close(y, expected, 1e-12);
  expect_close(after.running_mean, means, 1e-12);
  expect_close(after.running_var, variances, 1e-12);
  EXPECT_EQ(after.num_batches_tracked.item<int>(), 1);
  // In evaluation the running values normalise, and nothing changes.
  const auto [z, unchanged] = layer(x, after, false);
  EXPECT_EQ(unchanged.num_batches_tracked.item<int>(), 1);
  expect_close(z[{0, 0, 0, 0}], {(v[0] - means[0]) / std::sqrt(variances[0] + 1e-5)}, 1e-12);
  layer.momentum = {};  // a plain average
  const auto [unused, averaged] = layer(x, state, true);
  expect_close(averaged.running_mean, {means[0] * 10, means[1] * 10}, 1e-12);
}

TEST(LayerTest, DropoutScalesWhatItKeeps) {
  const Tensor x = ones({1000});
  const nn::Dropout layer{.p = 0.25};
  const Doubles y = layer(x, random::key(3), true).to_vector<double>();
  int kept = 0;
  for (double v : y) {
    EXPECT_TRUE(v == 0 || std::fabs(v - 4.0 / 3.0) < 1e-6);
    kept += v != 0;
  }
  EXPECT_NEAR(kept, 750, 4 * std::sqrt(1000 * 0.25 * 0.75));
  EXPECT_EQ(layer(x, random::key(3), false).to_vector<double>(), x.to_vector<double>());
}

TEST(LayerTest, EmbeddingRowsAndPadding) {
  const auto table = nn::Embedding::create(random::key(5), 4, 3, 1);
  const Tensor rows = table(tensor({2, 1}));
  EXPECT_EQ(rows.shape(), (Shape{2, 3}));
  EXPECT_EQ(rows[1].to_vector<double>(), (Doubles{0, 0, 0}));
  const auto loss = [](const nn::Embedding& e) { return sum(e(tensor({0, 1, 1, 2}))); };
  EXPECT_EQ(grad(loss)(table).weight.to_vector<double>(), (Doubles{1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0}));
}

TEST(LayerTest, SequentialNamesLikePyTorch) {
  const auto [a, b] = random::split<2>(random::key(0));
  const auto net = nn::sequential(nn::Linear::create(a, 4, 3), nn::Relu{}, nn::Linear::create(b, 3, 2));
  EXPECT_EQ(tree::names(net), (std::vector<std::string>{"0.weight", "0.bias", "2.weight", "2.bias"}));
  const Tensor x = sample({5, 4}, 0).to(DType::f32);
  EXPECT_EQ(net(x).to_vector<float>(),
            std::get<2>(net.layers)(nn::relu(std::get<0>(net.layers)(x))).to_vector<float>());
}

TEST(LayerTest, ConvAndPoolingInAStruct) {
  const auto conv = nn::Conv2d::create(random::key(2), 2, 4, 3, {.padding = 1});
  const Tensor x = sample({1, 2, 6, 6}, 0).to(DType::f32);
  EXPECT_EQ(conv(x).shape(), (Shape{1, 4, 6, 6}));
  expect_close(conv(x), (conv2d(x, conv.weight, {.padding = 1}) + conv.bias->reshape({1, 4, 1, 1})).to_vector<double>());
  EXPECT_EQ(nn::Flatten{}(nn::MaxPool2d{}(conv(x))).shape(), (Shape{1, 36}));
  // Options are static members: another stride is another program.
  auto other = conv;
  other.options.stride = 2;
  EXPECT_NE(tree::flatten(conv).structure, tree::flatten(other).structure);
}

Doubles log_softmax_rows(const Doubles& v, std::size_t classes) {
  Doubles out;
  for (std::size_t i = 0; i < v.size(); i += classes) {
    double total = 0;
    for (std::size_t k = 0; k < classes; ++k) total += std::exp(v[i + k]);
    for (std::size_t k = 0; k < classes; ++k) out.push_back(v[i + k] - std::log(total));
  }
  return out;
}

TEST(LossTest, CrossEntropy) {
  const Tensor logits = sample({3, 4}, 0), targets = tensor({1, 3, 0});
  const Doubles logp = log_softmax_rows(logits.to_vector<double>(), 4);
  expect_close(nn::log_softmax(logits), logp, 1e-12);
  const Doubles nll{-logp[1], -logp[7], -logp[8]};
  expect_close(nn::cross_entropy(logits, targets), {(nll[0] + nll[1] + nll[2]) / 3}, 1e-12);
  expect_close(nn::cross_entropy(logits, targets, {.reduction = nn::Reduction::none}), nll, 1e-12);
  expect_close(nn::nll_loss(nn::log_softmax(logits), targets), {(nll[0] + nll[1] + nll[2]) / 3}, 1e-12);
  expect_close(nn::cross_entropy(logits, tensor({1, -100, 0})), {(nll[0] + nll[2]) / 2}, 1e-12);
  expect_close(nn::cross_entropy(logits, tensor({1, 3, -1}), {.ignore_index = -1}), {(nll[0] + nll[1]) / 2}, 1e-12);
  EXPECT_TRUE(std::isnan(nn::cross_entropy(logits, tensor({-100, -100, -100})).item()));
  double smooth = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    double spread = 0;
    for (std::size_t k = 0; k < 4; ++k) spread -= logp[i * 4 + k] / 4;
    smooth += (0.9 * nll[i] + 0.1 * spread) / 3;
  }
  expect_close(nn::cross_entropy(logits, targets, {.label_smoothing = 0.1}), {smooth}, 1e-12);
  expect_close(nn::cross_entropy(logits, one_hot(targets, 4, DType::f64), {.label_smoothing = 0.1}), {smooth}, 1e-12);
  // Classes stand along axis 1 also when more axes follow.
  const Tensor image = transpose(logits).reshape({1, 4, 3});
  expect_close(nn::cross_entropy(image, targets.reshape({1, 3})), {(nll[0] + nll[1] + nll[2]) / 3}, 1e-12);
  // The gradient is softmax minus one-hot, divided by the count.
  const auto loss = [&](const Tensor& x) { return nn::cross_entropy(x, targets); };
  expect_close(grad(loss)(logits), ((nn::softmax(logits) - one_hot(targets, 4, DType::f64)) / 3.0).to_vector<double>(), 1e-12);
}

TEST(LossTest, OfNumbersAndProbabilities) {
  const Tensor x = tensor({0.5, -1.0, 2.0}, DType::f64), y = tensor({0.0, 1.0, 1.0}, DType::f64);
  expect_close(nn::mse_loss(x, y), {(0.25 + 4 + 1) / 3}, 1e-12);
  expect_close(nn::l1_loss(x, y, nn::Reduction::sum), {3.5}, 1e-12);
  expect_close(nn::huber_loss(x, y), {(0.125 + 1.5 + 0.5) / 3}, 1e-12);
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const double expected = -(std::log(1 - sigmoid(0.5)) + std::log(sigmoid(-1)) + std::log(sigmoid(2))) / 3;
  expect_close(nn::bce_with_logits(x, y), {expected}, 1e-12);
  expect_close(nn::bce_loss(nn::sigmoid(x), y), {expected}, 1e-12);
  expect_close(nn::bce_loss(tensor({0.0}), tensor({1.0})), {100});
  expect_close(nn::bce_with_logits(tensor({1000.0}), tensor({0.0})), {1000});
}

TEST(InitTest, BoundsAndGains) {
  EXPECT_NEAR(nn::gain(nn::Nonlinearity::leaky_relu, 0), std::sqrt(2.0), 1e-15);
  EXPECT_NEAR(nn::gain(nn::Nonlinearity::tanh), 5.0 / 3.0, 1e-15);
  EXPECT_EQ(nn::fans({8, 3, 5, 5}).in, 75);
  EXPECT_EQ(nn::fans({8, 3, 5, 5}).out, 200);
  const std::string vector = error_of([] { nn::kaiming_normal(random::key(1), {8}); });
  EXPECT_EQ(vector.substr(0, vector.find('\n')),
            "frontend/nn/nn_test.cpp:<line>: error: a weight of rank 1 has no fan_in and fan_out [nn.fans]");
  const auto largest = [](const Tensor& x) { return max(abs(x)).item(); };
  const random::Key key = random::key(11);
  const double xavier = std::sqrt(6.0 / 96), kaiming = std::sqrt(6.0 / 32);
  EXPECT_LE(largest(nn::xavier_uniform(key, {64, 32})), xavier);
  EXPECT_GT(largest(nn::xavier_uniform(key, {64, 32})), 0.98 * xavier);
  EXPECT_LE(largest(nn::kaiming_uniform(key, {64, 32})), kaiming);
  EXPECT_GT(largest(nn::kaiming_uniform(key, {64, 32})), 0.98 * kaiming);
  EXPECT_NEAR(stddev(nn::xavier_normal(key, {64, 64})).item(), std::sqrt(2.0 / 128), 0.005);
  EXPECT_NEAR(stddev(nn::kaiming_normal(key, {64, 64}, {.fan = nn::Fan::out})).item(), std::sqrt(2.0 / 64), 0.007);
  EXPECT_LE(largest(nn::trunc_normal(key, {64, 64})), 2);
}

}  // namespace
}  // namespace hyperion

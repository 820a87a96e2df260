// The page's gradients against those that the compiler derives, for the same expressions written
// once, and for a whole network that learns.
#include <gtest/gtest.h>

#include "frontend/hyperion.hpp"
#include "playground/micrograd/micrograd.hpp"

namespace micrograd {
namespace {

using hyperion::DType;
using hyperion::Slice;
using hyperion::Tensor;

Tensor relu(const Tensor& x) { return hyperion::nn::relu(x); }
Tensor scalar(double value) { return hyperion::full({}, value, DType::f64); }

// Both sides call exp and tanh of their own, each right to an ulp or two.
constexpr double kTolerance = 1e-13;

void expect_near(double ours, double theirs, const std::string& what) {
  EXPECT_NEAR(ours, theirs, kTolerance * (1 + std::abs(theirs))) << what;
}

// `f` takes two numbers of either kind.
template <class F>
void expect_same_gradients(F f, const std::string& what) {
  for (const auto& [p, q] : {std::pair(-1.3, 0.7), {0.4, -0.9}, {1.9, 2.3}, {-0.2, -1.1}}) {
    const Value x = p, y = q, result = f(x, y);
    result.backward();
    const auto loss = [&](const std::pair<Tensor, Tensor>& at) { return f(at.first, at.second); };
    const auto compiled = hyperion::value_and_grad(loss)(std::pair(scalar(p), scalar(q)));
    expect_near(result.data(), compiled.value.template item<double>(), what);
    expect_near(x.grad(), compiled.gradient.first.template item<double>(), what + " by x");
    expect_near(y.grad(), compiled.gradient.second.template item<double>(), what + " by y");
  }
}

TEST(AgainstTheCompiler, EveryOperation) {
  expect_same_gradients([](auto x, auto y) { return x + y; }, "x + y");
  expect_same_gradients([](auto x, auto y) { return x - y; }, "x - y");
  expect_same_gradients([](auto x, auto y) { return x * y + -x; }, "x * y + -x");
  expect_same_gradients([](auto x, auto y) { return x / y; }, "x / y");
  expect_same_gradients([](auto x, auto y) { return pow(x, 3.0) * y; }, "x^3 * y");
  expect_same_gradients([](auto x, auto y) { return exp(x * y); }, "exp(x * y)");
  expect_same_gradients([](auto x, auto y) { return tanh(x - y); }, "tanh(x - y)");
  expect_same_gradients([](auto x, auto y) { return relu(x) + relu(y) * x; },
                        "relu(x) + relu(y) * x");
}

// The expression in micrograd's README: values used again and again.
TEST(AgainstTheCompiler, ReadmeExpression) {
  expect_same_gradients(
      [](auto a, auto b) {
        auto c = a + b;
        auto d = a * b + pow(b, 3.0);
        c = c + c + 1.0;
        c = c + 1.0 + c + (-a);
        d = d + d * 2.0 + relu(b + a);
        d = d + 3.0 * d + relu(b - a);
        const auto f = pow(c - d, 2.0);
        return f / 2.0 + 10.0 / f;
      },
      "the README's expression");
}

// The network that learns XOR, with matrices where the page has loops: row n of a layer's matrix
// holds neuron n's bias, then its weights.
Tensor xor_loss(const Tensor& parameters) {
  const std::vector<double> inputs{1, -1, -1, 1, -1, 1, 1, 1, -1, 1, 1, 1}, outputs{-1, 1, 1, -1};
  const Tensor x = hyperion::from_vector(inputs, {4, 3}),
               wanted = hyperion::from_vector(outputs, {4, 1});
  const Tensor hidden = parameters[{Slice(0, 12)}].reshape({4, 3});
  const Tensor last = parameters[{Slice(12, 17)}].reshape({1, 5});
  const Tensor h = tanh(matmul(x, transpose(hidden)));
  const Tensor y = tanh(
      matmul(hyperion::concatenate({hyperion::ones({4, 1}, DType::f64), h}, 1), transpose(last)));
  return sum(square(y - wanted));
}

TEST(AgainstTheCompiler, TheXorNetworkWhileItLearns) {
  const double examples[][3] = {{-1, -1, -1}, {-1, 1, 1}, {1, -1, 1}, {1, 1, -1}};
  Mlp network({2, 4, 1});
  const auto compiled = hyperion::jit(hyperion::value_and_grad(xor_loss));
  double first = 0, latest = 0;
  for (int step = 0; step <= 50; ++step) {
    std::vector<double> parameters;
    for (const Value& parameter : network.parameters()) parameters.push_back(parameter.data());
    ASSERT_EQ(parameters.size(), 17u);
    Value loss = 0;
    for (const auto& [a, b, a_xor_b] : examples) loss += pow(network({a, b})[0] - a_xor_b, 2);
    loss.backward();
    const auto theirs = compiled(hyperion::from_vector(parameters, {17}));
    expect_near(loss.data(), theirs.value.item<double>(), "loss of step " + std::to_string(step));
    const std::vector<double> gradient = theirs.gradient.to_vector<double>();
    for (std::size_t k = 0; k < gradient.size(); ++k) {
      expect_near(network.parameters()[k].grad(), gradient[k],
                  "parameter " + std::to_string(k) + " at step " + std::to_string(step));
    }
    network.step(0.1);
    latest = loss.data();
    if (step == 0) first = latest;
  }
  EXPECT_LT(latest, first / 50);
}

}  // namespace
}  // namespace micrograd

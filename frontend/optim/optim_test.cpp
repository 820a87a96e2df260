// Update rules against their formulas in double precision, and schedules against closed forms.
#include <gtest/gtest.h>

#include <functional>
#include <numbers>

#include "frontend/hyperion.hpp"
#include "frontend/testing.hpp"

namespace hyperion {
namespace {

using testing::Doubles;
using testing::expect_close;

// One parameter under a rule, in doubles: (p, g, memory, t counted from 1, rate) -> p.
struct Memory {
  double first = 0, second = 0, third = 0;
};
using Reference = std::function<double(double, double, Memory&, int, double)>;

// Five steps with gradients that depend on the parameters, on two tensors, with a rate that changes.
template <class Rule>
void expect_follows(const Rule& rule, const Reference& reference) {
  struct Pair {
    Tensor matrix, vector;
  };
  Pair parameters{tensor({{0.5, -1.0}, {2.0, 0.25}}, DType::f64), tensor({1.0, -3.0}, DType::f64)};
  Doubles expected{0.5, -1, 2, 0.25, 1, -3};
  std::vector<Memory> memory(expected.size());
  auto state = optim::start(rule, parameters, 0.1);
  for (int t = 1; t <= 5; ++t) {
    const double rate = 0.1 / t;
    state.learning_rate = tensor(rate, DType::f64);
    const auto gradients = tree::map(parameters, [&](const Tensor& p) { return p * 2.0 + 0.3; });
    std::tie(parameters, state) = optim::update(rule, parameters, gradients, state);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      expected[k] = reference(expected[k], 2 * expected[k] + 0.3, memory[k], t, rate);
    }
  }
  EXPECT_EQ(state.step.template item<int>(), 5);
  expect_close(concatenate({flatten(parameters.matrix), parameters.vector}), expected, 1e-7);
}

TEST(OptimizerTest, Sgd) {
  expect_follows(optim::SGD{}, [](double p, double g, Memory&, int, double rate) { return p - rate * g; });
  expect_follows(optim::SGD{.momentum = 0.9, .dampening = 0.5, .weight_decay = 0.01},
                 [](double p, double g, Memory& m, int t, double rate) {
                   g += 0.01 * p;
                   m.first = t == 1 ? g : 0.9 * m.first + 0.5 * g;
                   return p - rate * m.first;
                 });
  expect_follows(optim::SGD{.momentum = 0.9, .nesterov = true}, [](double p, double g, Memory& m, int, double rate) {
    m.first = 0.9 * m.first + g;
    return p - rate * (g + 0.9 * m.first);
  });
}

TEST(OptimizerTest, RmsProp) {
  expect_follows(optim::RMSprop{}, [](double p, double g, Memory& m, int, double rate) {
    m.second = 0.99 * m.second + 0.01 * g * g;
    return p - rate * g / (std::sqrt(m.second) + 1e-8);
  });
  expect_follows(optim::RMSprop{.momentum = 0.5}, [](double p, double g, Memory& m, int, double rate) {
    m.second = 0.99 * m.second + 0.01 * g * g;
    m.first = 0.5 * m.first + g / (std::sqrt(m.second) + 1e-8);
    return p - rate * m.first;
  });
}

TEST(OptimizerTest, CenteredRmsProp) {
  expect_follows(optim::RMSprop{.momentum = 0.5, .centered = true}, [](double p, double g, Memory& m, int, double rate) {
    m.second = 0.99 * m.second + 0.01 * g * g;
    m.third = 0.99 * m.third + 0.01 * g;
    m.first = 0.5 * m.first + g / (std::sqrt(m.second - m.third * m.third) + 1e-8);
    return p - rate * m.first;
  });
}

// The maximum is of what is not yet corrected for its bias, as in PyTorch.
TEST(OptimizerTest, AmsGrad) {
  const Reference reference = [](double p, double g, Memory& m, int t, double rate) {
    m.first = 0.9 * m.first + 0.1 * g;
    m.second = 0.5 * m.second + 0.5 * g * g;
    m.third = std::max(m.third, m.second);
    return p - rate * (m.first / (1 - std::pow(0.9, t))) / (std::sqrt(m.third / (1 - std::pow(0.5, t))) + 1e-8);
  };
  // A short memory, so that the second moment falls and its maximum does not.
  expect_follows(optim::Adam{.beta2 = 0.5, .amsgrad = true}, reference);
  expect_follows(optim::AdamW{.beta2 = 0.5, .weight_decay = 0.1, .amsgrad = true},
                 [&](double p, double g, Memory& m, int t, double rate) {
                   return reference(p * (1 - rate * 0.1), g, m, t, rate);
                 });
}

double adam_step(double p, double g, Memory& m, int t, double rate) {
  m.first = 0.9 * m.first + 0.1 * g;
  m.second = 0.999 * m.second + 0.001 * g * g;
  return p - rate * (m.first / (1 - std::pow(0.9, t))) / (std::sqrt(m.second / (1 - std::pow(0.999, t))) + 1e-8);
}

TEST(OptimizerTest, AdamAndAdamW) {
  expect_follows(optim::Adam{}, adam_step);
  expect_follows(optim::Adam{.weight_decay = 0.1}, [](double p, double g, Memory& m, int t, double rate) {
    return adam_step(p, g + 0.1 * p, m, t, rate);
  });
  expect_follows(optim::AdamW{.weight_decay = 0.1}, [](double p, double g, Memory& m, int t, double rate) {
    return adam_step(p * (1 - rate * 0.1), g, m, t, rate);
  });
}

TEST(OptimizerTest, TreesHaveOneStructure) {
  const optim::SGD rule;
  const std::vector<Tensor> parameters{tensor(1.0), tensor(2.0)}, gradients{tensor(1.0)};
  const auto state = optim::start(rule, parameters, 1.0);
  EXPECT_EQ(testing::error_of([&] { optim::update(rule, parameters, gradients, state); }),
            "frontend/optim/optim_test.cpp:<line>: error: update: 2 parameters, 1 gradients, a state for 2 "
            "[transform.structure]");
}

TEST(OptimizerTest, DecayOfMatricesSparesVectors) {
  const optim::SGD rule{.weight_decay = 0.5, .decay = optim::Decay::matrices};
  const std::pair parameters(tensor({{1.0}}), tensor({1.0}));
  const auto gradients = tree::map(parameters, [](const Tensor& p) { return zeros_like(p); });
  const auto [updated, state] = optim::update(rule, parameters, gradients, optim::start(rule, parameters, 1.0));
  EXPECT_EQ(updated.first.item(), 0.5);
  EXPECT_EQ(updated.second.item(), 1);
}

TEST(OptimizerTest, ClipsTheGlobalNorm) {
  const std::pair gradients(tensor({3.0, 0.0}), tensor({4.0}));
  const auto [clipped, norm] = optim::clip_global_norm(gradients, 1.0);
  EXPECT_EQ(norm.item(), 5);
  expect_close(clipped.first, {3 / (5 + 1e-6), 0});
  const auto [same, unused] = optim::clip_global_norm(gradients, 10.0);
  EXPECT_EQ(same.first.to_vector<double>(), (Doubles{3, 0}));
}

TEST(OptimizerTest, OneProgramForAllSteps) {
  struct Net {
    Tensor w;
  };
  const optim::AdamW rule;
  const auto step = jit([&](const Net& net, optim::State<Net> state, const Tensor& x) {
    state.learning_rate = optim::cosine(state.step, {.rate = 0.1, .warmup = 2, .steps = 10});
    const auto loss = [&](const Net& n) { return sum(square(n.w * x - 1.0)); };
    const auto [value, gradient] = value_and_grad(loss)(net);
    return std::pair(optim::update(rule, net, gradient, state), value);
  });
  Net net{tensor({0.0, 0.0})};
  auto state = optim::start(rule, net, 0.1);
  double first = 0, last = 0;
  for (int k = 0; k < 10; ++k) {
    const auto [updated, loss] = step(net, state, tensor({1.0, 2.0}));
    std::tie(net, state) = updated;
    (k == 0 ? first : last) = loss.item();
  }
  EXPECT_EQ(step.trace_count(), 1u);
  EXPECT_LT(last, 0.75 * first);
}

TEST(ScheduleTest, ClosedForms) {
  const auto at = [](auto schedule, std::vector<std::int64_t> steps) {
    Doubles out;
    for (std::int64_t step : steps) out.push_back(schedule(tensor(step)).item());
    return out;
  };
  const auto expect = [](const Doubles& actual, const Doubles& expected) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t k = 0; k < actual.size(); ++k) EXPECT_NEAR(actual[k], expected[k], 1e-6);
  };
  expect(at([](const Tensor& s) { return optim::constant(s, 0.5); }, {0, 9}), {0.5, 0.5});
  expect(at([](const Tensor& s) { return optim::step_decay(s, 1, 10, 0.5); }, {0, 9, 10, 25}), {1, 1, 0.5, 0.25});
  expect(at([](const Tensor& s) { return optim::exponential(s, 1, 0.9); }, {0, 2}), {1, 0.81});
  expect(at([](const Tensor& s) { return optim::linear(s, 1, 0.5, 10); }, {0, 5, 10, 20}), {1, 0.75, 0.5, 0.5});
  const auto cosine = [](optim::Warmup form) {
    return [form](const Tensor& s) {
      return optim::cosine(s, {.rate = 1, .minimum = 0.1, .warmup = 4, .steps = 12, .form = form});
    };
  };
  const auto wave = [](double r) { return 0.1 + 0.45 * (1 + std::cos(std::numbers::pi * r)); };
  expect(at(cosine(optim::Warmup::below_rate), {0, 3, 4, 8, 12, 50}), {0.2, 0.8, 1, wave(0.5), 0.1, 0.1});
  expect(at(cosine(optim::Warmup::reaches_rate), {0, 3, 4, 6, 12}), {0.25, 1, 1, wave(0.25), 0.1});
}

}  // namespace
}  // namespace hyperion

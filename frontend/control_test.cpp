#include "frontend/control.hpp"

#include <gtest/gtest.h>

#include "frontend/hyperion.hpp"
#include "frontend/testing.hpp"

namespace hyperion {
namespace {

using testing::Doubles;

TEST(ControlTest, CondChoosesAndDifferentiates) {
  const Tensor scale = tensor(3.0);  // from outside
  const auto f = [&](const Tensor& x) {
    return cond(x > 0.0, [&](const Tensor& v) { return v * scale; }, [](const Tensor& v) { return -v; }, x);
  };
  EXPECT_EQ(f(tensor(2.0)).item(), 6);
  EXPECT_EQ(f(tensor(-2.0)).item(), 2);
  EXPECT_EQ(grad(f)(tensor(2.0)).item(), 3);
  EXPECT_EQ(jit(grad(f))(tensor(-2.0)).item(), -1);
}

TEST(ControlTest, ConditionsMayBePlainBools) {
  const auto negated = [](bool holds) {
    return cond(holds, [](const Tensor& v) { return -v; }, [](const Tensor& v) { return v; }, tensor(2.0)).item();
  };
  EXPECT_EQ(negated(true), -2);
  EXPECT_EQ(negated(false), 2);
}

TEST(ControlTest, WhileRunsUntilItsConditionFails) {
  struct State {
    Tensor value, steps;
  };
  const Tensor limit = tensor(100.0);
  const auto run = [&](const Tensor& x) {
    return while_loop([&](const State& s) { return s.value < limit; },
                      [](const State& s) { return State{s.value * 2.0, s.steps + 1}; }, State{x, tensor(0)});
  };
  const State end = run(tensor(3.0));
  EXPECT_EQ(end.value.item(), 192);
  EXPECT_EQ(end.steps.item(), 6);
  EXPECT_EQ(run(tensor(500.0)).steps.item(), 0);
}

TEST(ControlTest, LoopsHaveForwardDerivativesOnly) {
  const auto doubled = [](const Tensor& x) {
    return while_loop([](const Tensor& s) { return s < 100.0; }, [](const Tensor& s) { return s * 2.0; }, x);
  };
  EXPECT_EQ(jvp(doubled, std::tuple(tensor(3.0)), std::tuple(tensor(1.0))).second.item(), 64);
  EXPECT_EQ(jacobian(doubled, true)(tensor(3.0)).item(), 64);
  const auto expect_refusal = [](const std::string& text) {
    EXPECT_TRUE(text.starts_with("frontend/control_test.cpp:<line>: error: the function has no reverse mode: while ("))
        << text;
    EXPECT_TRUE(text.ends_with("cannot be turned around [transform.reverse]\n  hint: use jvp or jacobian(f, true), or a "
                               "scan where the number of steps is known"))
        << text;
  };
  expect_refusal(testing::error_of([&] { grad(doubled)(tensor(3.0)); }));
  expect_refusal(testing::error_of([&] { jacobian(doubled)(tensor(3.0)); }));
  const auto inside = [&](const Tensor& x) { return checkpoint(doubled)(x); };
  expect_refusal(testing::error_of([&] { grad(inside)(tensor(3.0)); }));
  // What the result does not depend on is no obstacle.
  const auto aside = [&](const Tensor& x) { return std::pair(x * x, doubled(x)); };
  EXPECT_EQ(grad(aside)(tensor(3.0)).item(), 6);
}

TEST(ControlTest, ScanCarriesAndStacks) {
  const Tensor decay = tensor(0.5);
  const auto f = [&](const Tensor& x) {
    return scan([&](const Tensor& carry, const Tensor& element) {
      const Tensor next = carry * decay + element;
      return std::pair(next, next * 10.0);
    }, tensor(0.0), x);
  };
  const auto [last, outputs] = f(tensor({1.0, 2.0, 3.0}));
  EXPECT_EQ(last.item(), 4.25);
  EXPECT_EQ(outputs.to_vector<double>(), (Doubles{10, 25, 42.5}));
  const auto total = [&](const Tensor& x) { return f(x).first; };
  EXPECT_EQ(grad(total)(tensor({1.0, 2.0, 3.0})).to_vector<double>(), (Doubles{0.25, 0.5, 1}));
}

TEST(ControlTest, ScanMayRunBackwards) {
  const auto running = [](const Tensor& carry, const Tensor& element) {
    const Tensor next = carry * 2.0 + element;
    return std::pair(next, next);
  };
  const auto [last, outputs] = scan(running, tensor(0.0), tensor({1.0, 2.0, 3.0}), {.reverse = true});
  EXPECT_EQ(last.item(), 17);  // 3, then 8, then 17
  EXPECT_EQ(outputs.to_vector<double>(), (Doubles{17, 8, 3}));
}

TEST(ControlTest, VmapGoesThroughControlFlow) {
  const Tensor x = tensor({3.0, -4.0, 50.0});
  const auto magnitude = [](const Tensor& v) {
    return cond(v > 0.0, [](const Tensor& u) { return u; }, [](const Tensor& u) { return -u; }, v);
  };
  EXPECT_EQ(vmap(magnitude)(x).to_vector<double>(), (Doubles{3, 4, 50}));
  const auto doubled = [](const Tensor& v) {
    return while_loop([](const Tensor& s) { return abs(s) < 20.0; }, [](const Tensor& s) { return s * 2.0; }, v);
  };
  EXPECT_EQ(vmap(doubled)(x).to_vector<double>(), (Doubles{24, -32, 50}));
  const auto total = [](const Tensor& row) {
    return scan([](const Tensor& carry, const Tensor& v) { return std::pair(carry + v, carry); }, tensor(0.0), row).first;
  };
  EXPECT_EQ(vmap(total)(tensor({{1.0, 2.0}, {3.0, 4.0}})).to_vector<double>(), (Doubles{3, 7}));
}

}  // namespace
}  // namespace hyperion

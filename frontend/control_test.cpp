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

}  // namespace
}  // namespace hyperion

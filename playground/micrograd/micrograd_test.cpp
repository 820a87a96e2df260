#include "playground/micrograd/micrograd.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace micrograd {
namespace {

// The expression in the README of karpathy/micrograd, with its result and gradients in double
// precision.
TEST(Micrograd, ReadmeExpression) {
  const Value a = -4;
  const Value b = 2;
  Value c = a + b;
  Value d = a * b + pow(b, 3);
  c += c + 1;
  c += 1 + c + (-a);
  d += d * 2 + relu(b + a);
  d += 3 * d + relu(b - a);
  const Value e = c - d;
  const Value f = pow(e, 2);
  Value g = f / 2;
  g += 10 / f;
  g.backward();
  EXPECT_EQ(g.data(), 24.70408163265306);
  EXPECT_EQ(a.grad(), 138.83381924198252);
  EXPECT_EQ(b.grad(), 645.5772594752186);
}

TEST(Micrograd, EverySlopeMatchesACentralDifference) {
  const std::function<Value(Value)> functions[] = {
      [](Value x) { return x * x + x; },  [](Value x) { return 3 / x - x; },
      [](Value x) { return exp(x * 2); }, [](Value x) { return tanh(x) * x; },
      [](Value x) { return relu(x); },    [](Value x) { return relu(-x) + pow(x, 3); },
  };
  for (const auto& f : functions) {
    for (double at : {-1.3, -0.4, 0.7, 1.9}) {
      const Value x = at;
      f(x).backward();
      const double h = 1e-5;
      const double slope = (f(at + h).data() - f(at - h).data()) / (2 * h);
      EXPECT_NEAR(x.grad(), slope, 1e-7 * (1 + std::abs(slope)));
    }
  }
}

// A value used many times collects a gradient from each use, once.
TEST(Micrograd, SharedValuesAddUp) {
  const Value x = 3;
  Value sum = x;
  for (int i = 0; i < 20; ++i) sum = sum + sum;
  sum.backward();
  EXPECT_EQ(x.grad(), 1 << 20);
}

TEST(Micrograd, DeepGraphsNeedNoDeepStack) {
  const Value x = 1;
  Value sum = 0;
  for (int i = 0; i < 5000; ++i) sum += x;
  sum.backward();
  EXPECT_EQ(x.grad(), 5000);
}

}  // namespace
}  // namespace micrograd

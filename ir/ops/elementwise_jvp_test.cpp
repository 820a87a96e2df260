// Each elementwise derivative rule against finite differences of the op itself, both in f64 through the interpreter.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "ir/builder.hpp"
#include "ir/interpreter.hpp"
#include "ir/transforms.hpp"
#include "tests/support/literals.hpp"

namespace hyperion::ir {
namespace {

using testing_support::elements;
using testing_support::tensor;

const std::vector<double> kInside = {0.13, 0.29, 0.47, 0.71, 0.94};
const std::vector<double> kAboveOne = {1.13, 1.29, 2.47, 7.71, 20.94};
const std::vector<double> kNegative = {-0.31, -1.27, -2.43, -0.73, -3.62};  // where lgamma and digamma reflect

using Point = std::vector<std::vector<double>>;  // one list of arguments per operand

std::vector<LiteralPtr> literals(const Point& point) {
  std::vector<LiteralPtr> out;
  for (const std::vector<double>& x : point) out.push_back(tensor<double>({Dim(static_cast<std::int64_t>(x.size()))}, x));
  return out;
}

std::vector<double> value(const OpDefinition& op, const Point& point) {
  const auto results = interpret_op(op, literals(point));
  EXPECT_TRUE(results.has_value()) << results.error().text();
  return elements<double>(results->at(0));
}

// The tangent that the rule gives in the direction of operand `active` alone.
std::vector<double> tangent_by_rule(const OpDefinition& op, const Point& point, std::size_t active) {
  Module module;
  Function& function = module.add("f");
  Builder builder(function, &module);
  const Attributes attributes;
  JvpContext context{builder, op, attributes, {}, {}, {}};
  const Type type(DType::f64, {Dim(static_cast<std::int64_t>(point[0].size()))});
  for (std::size_t k = 0; k < point.size(); ++k) {
    context.operands.push_back(builder.parameter(type));
    context.tangents.push_back(k == active ? builder.ones(type) : Value{});
  }
  context.results = builder.apply_all(op.name, context.operands);
  const Value tangent = op.jvp(context)[0];
  builder.return_values(std::array{tangent ? tangent : builder.zeros(type)});
  const auto results = interpret(module, function, literals(point));
  EXPECT_TRUE(results.has_value()) << results.error().text();
  return elements<double>(results->at(0));
}

void expect_rule_is_derivative(const OpDefinition& op, const Point& point) {
  for (std::size_t active = 0; active < point.size(); ++active) {
    const std::vector<double> tangent = tangent_by_rule(op, point, active);
    Point above = point, below = point;
    constexpr double kStep = 1e-5;
    for (double& x : above[active]) x += kStep;
    for (double& x : below[active]) x -= kStep;
    const std::vector<double> high = value(op, above), low = value(op, below);
    for (std::size_t i = 0; i < tangent.size(); ++i) {
      const double difference = (high[i] - low[i]) / (2 * kStep);
      EXPECT_NEAR(tangent[i], difference, 2e-7 * std::max(1.0, std::fabs(difference)))
          << op.name << " by operand " << active << " at " << point[active][i];
    }
  }
}

TEST(ElementwiseDerivatives, AgreeWithFiniteDifferences) {
  int checked = 0;
  for (const OpDefinition* op : all_ops()) {
    if (!op->is_elementwise || !op->jvp || !op->attributes.empty()) continue;
    const bool beyond_one = op->name == "acosh";
    Point point(op->operands.size(), beyond_one ? kAboveOne : kInside);
    for (std::size_t k = 1; k < point.size(); ++k) {  // different operands
      for (double& x : point[k]) x = 0.17 + static_cast<double>(k) * 0.61 * x;
    }
    expect_rule_is_derivative(*op, point);
    ++checked;
  }
  EXPECT_GE(checked, 25);
  expect_rule_is_derivative(op("lgamma"), {kNegative});
  expect_rule_is_derivative(op("digamma"), {kNegative});
  expect_rule_is_derivative(op("digamma"), {kAboveOne});
  expect_rule_is_derivative(op("atan2"), {kNegative, kNegative});
  expect_rule_is_derivative(op("tanh"), {kNegative});
}

TEST(ElementwiseDerivatives, OfPowerAtItsCorners) {
  const Point point = {{0.0, 0.0, 2.0, 3.0}, {2.0, 1.0, 0.0, -1.0}};
  EXPECT_EQ(tangent_by_rule(op("pow"), point, 0), (std::vector<double>{0, 1, 0, -1.0 / 9}));
  const std::vector<double> by_exponent = tangent_by_rule(op("pow"), point, 1);
  EXPECT_EQ(by_exponent[0], 0);
  EXPECT_EQ(by_exponent[1], 0);
  EXPECT_NEAR(by_exponent[2], std::log(2.0), 1e-15);
}

}  // namespace
}  // namespace hyperion::ir

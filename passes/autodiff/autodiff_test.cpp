#include <gtest/gtest.h>

#include <cmath>

#include "ir/builder.hpp"
#include "passes/autodiff/checkpoint.hpp"
#include "passes/autodiff/gradcheck.hpp"
#include "passes/autodiff/jvp.hpp"
#include "passes/autodiff/transpose.hpp"
#include "passes/autodiff/vjp.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using testing_support::elements;
using testing_support::module_of;
using testing_support::random_arguments;
using testing_support::run;
using testing_support::tensor;

// Every program is checked to the second order: jvp and vjp of f, then jvp and vjp of vjp(f).
struct Program {
  const char* name;
  const char* text;
  double low = -1, high = 1;  // of the arguments
  int order = 2;
};

const Program kPrograms[] = {
    {"Chain", R"(func @f(%x: f64[3, 2], %y: f64[3, 2]) -> f64[3, 2], f64[3, 2] {
      %a = mul %x, %y
      %b = exp %a
      %c = add %b, %x
      %d = div %c, %b
      %e = sub %d, %y
      %g = neg %e
      return %g, %b
    })"},
    {"Sqrt", "func @f(%x: f64[4]) -> f64[4] { %a = sqrt %x\n %b = mul %a, %x\n return %b }", 0.5, 2},
    {"SeveralUses", R"(func @f(%x: f64[2]) -> f64[2] {
      %a = mul %x, %x
      %b = add %a, %x
      %c = mul %a, %b
      %d = add %c, %a
      return %d
    })"},
    {"DotPlain", R"(func @f(%x: f64[3, 4], %w: f64[4, 2]) -> f64[3, 2] {
      %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
      %z = mul %y, %y
      return %z
    })"},
    {"DotBatchedAndPermuted", R"(func @f(%x: f64[3, 4, 2], %w: f64[5, 2, 4, 3]) -> f64[2, 5] {
      %y = dot %x, %w {lhs_batch = [2], rhs_batch = [1], lhs_contract = [0, 1], rhs_contract = [3, 2]}
      %z = exp %y
      return %z
    })"},
    {"DotOuter", "func @f(%x: f64[2], %y: f64[3]) -> f64[2, 3] { %z = dot %x, %y\n return %z }"},
    {"SoftmaxLike", R"(func @f(%x: f64[3, 4]) -> f64[3, 4] {
      %m = reduce %x {axes = [1], kind = "max"}
      %mb = broadcast %m {dims = [0], shape = [3, 4]}
      %c = sub %x, %mb
      %e = exp %c
      %s = reduce %e {axes = [1], kind = "sum"}
      %sb = broadcast %s {dims = [0], shape = [3, 4]}
      %y = div %e, %sb
      return %y
    })"},
    {"Broadcasting", R"(func @f(%x: f64[3, 1], %b: f64[2], %s: f64[]) -> f64[3, 2] {
      %xb = broadcast %x {dims = [0, 1], shape = [3, 2]}
      %bb = broadcast %b {dims = [1], shape = [3, 2]}
      %sb = broadcast %s {dims = [], shape = [3, 2]}
      %y = mul %xb, %bb
      %z = mul %y, %sb
      return %z
    })"},
    {"ReshapeAndTranspose", R"(func @f(%x: f64[2, 3, 4]) -> f64[4, 6] {
      %a = reshape %x {shape = [6, 4]}
      %b = transpose %a {permutation = [1, 0]}
      %c = mul %b, %b
      return %c
    })"},
    {"Slices", R"(func @f(%x: f64[7, 3]) -> f64[6, 2] {
      %a = slice %x {starts = [1, 0], limits = [6, 3], strides = [2, 2]}
      %b = concatenate %a, %a {axis = 0}
      %c = mul %b, %b
      return %c
    })"},
    {"Select", R"(func @f(%x: f64[5], %y: f64[5]) -> f64[5] {
      %p = compare %x, %y {direction = "lt"}
      %a = mul %x, %y
      %b = select %p, %a, %y
      %c = mul %b, %b
      return %c
    })"},
    {"MaxMin", R"(func @f(%x: f64[5], %y: f64[5]) -> f64[5] {
      %a = max %x, %y
      %b = min %a, 0.25
      %c = neg %b
      %d = mul %c, %x
      return %d
    })"},
    {"Abs", "func @f(%x: f64[5]) -> f64[5] { %a = abs %x\n %b = mul %a, %x\n return %b }"},
    {"Composite", R"(func @f(%x: f64[3, 4]) -> f64[3, 4] {
      %a = softmax %x {axis = 1}
      %b = mul %a, %x
      return %b
    })"},
    {"Fma", "func @f(%x: f64[3], %y: f64[3], %z: f64[3]) -> f64[3] { %a = fma %x, %y, %z\n %b = fma %a, %a, %x\n return %b }"},
    {"Unused", "func @f(%x: f64[3], %y: f64[2]) -> f64[3], f64[3] { %a = mul %x, %x\n return %a, %x }"},
    {"ConstantResult", "func @f(%x: f64[3]) -> f64[3], f64[3] { %a = constant 2.0 : f64[3]\n %b = mul %x, %a\n return %b, %a }"},
    {"Integers", R"(func @f(%x: f64[3], %n: i32[3]) -> f64[3], i32[3] {
      %m = add %n, %n
      %g = cast %m {dtype = f64}
      %y = mul %x, %g
      %z = mul %y, %x
      return %z, %m
    })", -4, 4},
    {"Call", R"(func @g(%a: f64[3], %b: f64[3]) -> f64[3], f64[3] { %c = mul %a, %b
      %d = exp %c
      return %d, %c }
      func @f(%x: f64[3]) -> f64[3] { %y, %z = call @g(%x, %x)
      %u, %v = call @g(%z, %y)
      %w = add %u, %v
      return %w })"},
};

class AutodiffProgram : public testing::TestWithParam<Program> {};

TEST_P(AutodiffProgram, AgreesWithDifferences) {
  const Program& program = GetParam();
  const auto module = module_of(program.text);
  const ir::Function& f = *module->find("f");
  const auto report = gradcheck(*module, f, random_arguments(f, 11, program.low, program.high),
                                {.order = program.order});
  ASSERT_TRUE(report.has_value()) << report.error().text();
  EXPECT_TRUE(report->passed) << report->message;
}

INSTANTIATE_TEST_SUITE_P(Programs, AutodiffProgram, testing::ValuesIn(kPrograms),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Jvp, TakesAndGivesTangentsInOrder) {
  const auto module = module_of("func @f(%x: f64[], %n: i32[], %y: f64[]) -> i32[], f64[], f64[] { %a = mul %x, %y\n return %n, %a, %x }");
  const ir::Function& forward = jvp(*module, *module->find("f"), {true, false, false}, "forward");
  ASSERT_EQ(forward.parameters().size(), 4u);
  EXPECT_EQ(forward.value(forward.parameters()[3]).name, "x_tangent");
  const auto results = run(*module, "forward", {tensor<double>({}, {3}), tensor<std::int32_t>({}, {7}),
                                                tensor<double>({}, {5}), tensor<double>({}, {2})});
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(elements<std::int32_t>(results[0])[0], 7);
  EXPECT_EQ(elements<double>(results[1])[0], 15);
  EXPECT_EQ(elements<double>(results[2])[0], 3);
  EXPECT_EQ(elements<double>(results[3])[0], 10);
  EXPECT_EQ(elements<double>(results[4])[0], 2);
}

TEST(Vjp, GivesZerosWhereNothingFlows) {
  const auto module = module_of("func @f(%x: f64[2], %y: f64[3]) -> f64[2], f64[3] { %a = floor %y\n return %x, %a }");
  vjp(*module, *module->find("f"), {true, true}, "reverse");
  const auto results = run(*module, "reverse", {tensor<double>({2}, {1, 2}), tensor<double>({3}, {1, 2, 3}),
                                                tensor<double>({2}, {4, 5}), tensor<double>({3}, {1, 1, 1})});
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(elements<double>(results[2]), (std::vector<double>{4, 5}));
  EXPECT_EQ(elements<double>(results[3]), (std::vector<double>{0, 0, 0}));
}

TEST(Vjp, StopGradientStops) {
  const auto module = module_of("func @f(%x: f64[]) -> f64[] { %a = stop_gradient %x\n %b = mul %a, %x\n return %b }");
  vjp(*module, *module->find("f"), {true}, "reverse");
  const auto results = run(*module, "reverse", {tensor<double>({}, {3}), tensor<double>({}, {1})});
  EXPECT_EQ(elements<double>(results[1])[0], 3);
}

TEST(Vjp, HoldsNoTraceOfItsScratchFunctions) {
  const auto module = module_of("func @f(%x: f64[]) -> f64[] { %b = mul %x, %x\n return %b }");
  vjp(*module, *module->find("f"), {true}, "reverse");
  EXPECT_EQ(module->functions().size(), 2u);
  Diagnostics diagnostics;
  EXPECT_TRUE(ir::verify(*module, diagnostics)) << diagnostics.render();
}

// x^5 at 2: 80, 160, 240, 240 for the first four derivatives.
TEST(Vjp, NestsToTheFourthOrder) {
  const auto module = module_of(R"(func @f0(%x: f64[]) -> f64[] {
    %a = mul %x, %x
    %b = mul %a, %a
    %c = mul %b, %x
    return %c
  })");
  std::string name = "f0";
  for (int order = 1; order <= 4; ++order) {
    // grad: apply the vjp to a cotangent of one and keep the derivative.
    const std::string reverse = "reverse" + std::to_string(order), next = "f" + std::to_string(order);
    vjp(*module, *module->find(name), {true}, reverse);
    ir::Builder builder(module->add(next), module.get());
    const ir::Value x = builder.parameter(Type::scalar(DType::f64));
    const auto both = builder.apply_all("call", std::vector{x, builder.ones(x.type())},
                                        {{"callee", ir::SymbolReference{reverse}}});
    builder.return_values(std::vector{both[1]});
    name = next;
    const double expected[] = {80, 160, 240, 240};
    EXPECT_EQ(elements<double>(run(*module, next, {tensor<double>({}, {2})})[0])[0], expected[order - 1]) << order;
  }
}

TEST(Hessian, ForwardOverReverseEqualsReverseOverForward) {
  const auto module = module_of(R"(func @f(%x: f64[2], %y: f64[2]) -> f64[] {
    %a = mul %x, %y
    %b = exp %a
    %c = reduce %b {axes = [0], kind = "sum"}
    return %c
  })");
  vjp(*module, *module->find("f"), {true, false}, "reverse");
  jvp(*module, *module->find("reverse"), {true, false, false}, "forward_reverse");
  jvp(*module, *module->find("f"), {true, false}, "forward");
  vjp(*module, *module->find("forward"), {true, false, false}, "reverse_forward");
  const LiteralPtr x = tensor<double>({2}, {0.3, -0.7}), y = tensor<double>({2}, {1.5, 0.4});
  const LiteralPtr v = tensor<double>({2}, {1, 2}), one = tensor<double>({}, {1}), zero = tensor<double>({}, {0});
  const auto a = elements<double>(run(*module, "forward_reverse", {x, y, one, v})[3]);
  const auto b = elements<double>(run(*module, "reverse_forward", {x, y, v, zero, one})[2]);
  for (int i = 0; i < 2; ++i) {
    const double xi = elements<double>(x)[i], yi = elements<double>(y)[i], vi = elements<double>(v)[i];
    EXPECT_NEAR(a[i], yi * yi * std::exp(xi * yi) * vi, 1e-13);
    EXPECT_NEAR(b[i], a[i], 1e-13);
  }
}

TEST(Transpose, TurnsALinearFunctionAround) {
  const auto module = module_of(R"(func @f(%a: f64[3, 2], %x: f64[2]) -> f64[3], f64[] {
    %y = dot %a, %x {lhs_contract = [1], rhs_contract = [0]}
    %z = reduce %y {axes = [0], kind = "sum"}
    return %y, %z
  })");
  const ir::Function& t = transpose(*module, *module->find("f"), {false, true}, "t");
  EXPECT_EQ(t.parameters().size(), 3u);
  const auto results = run(*module, "t", {tensor<double>({3, 2}, {1, 2, 3, 4, 5, 6}), tensor<double>({3}, {1, 0, 2}),
                                          tensor<double>({}, {10})});
  EXPECT_EQ(elements<double>(results[0]), (std::vector<double>{11 + 90, 14 + 120}));
}

constexpr const char* kCheckpointed = R"(
  func @g(%x: f64[4], %w: f64[4]) -> f64[4] {
    %a = mul %x, %w
    %b = exp %a
    %c = mul %b, %a
    return %c
  }
  func @f(%x: f64[4], %w: f64[4]) -> f64[4] {
    %a = call @g(%x, %w)
    %b = call @g(%a, %w)
    return %b
  })";

TEST(Checkpoint, GivesTheSameBits) {
  const auto plain = module_of(kCheckpointed), marked = module_of(kCheckpointed);
  mark_checkpoint(*marked->find("g"));
  vjp(*plain, *plain->find("f"), {true, true}, "reverse");
  vjp(*marked, *marked->find("f"), {true, true}, "reverse");
  auto arguments = random_arguments(*plain->find("reverse"), 5);
  const auto a = run(*plain, "reverse", arguments), b = run(*marked, "reverse", arguments);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) EXPECT_EQ(*a[k], *b[k]) << k;
}

TEST(Checkpoint, KeepsOnlyTheBoundary) {
  const auto module = module_of(kCheckpointed);
  mark_checkpoint(*module->find("g"));
  const ir::Function& reverse = vjp(*module, *module->find("f"), {true, true}, "reverse");
  int calls = 0, barriers = 0, others = 0;
  for (ir::OpId id : reverse.ops()) {
    const ir::Op& op = reverse.op(id);
    calls += op.is("call");
    barriers += op.is("barrier");
    others += op.is("exp");
  }
  EXPECT_EQ(calls, 4);  // g twice forward, and its derivative twice backward
  EXPECT_EQ(barriers, 2);
  EXPECT_EQ(others, 0);
  const auto report = gradcheck(*module, *module->find("f"), random_arguments(*module->find("f"), 3), {.order = 2});
  ASSERT_TRUE(report.has_value()) << report.error().text();
  EXPECT_TRUE(report->passed) << report->message;
}

TEST(Gradcheck, SeesAWrongDerivative) {
  // stop_gradient makes the derivative wrong on purpose.
  const auto module = module_of("func @f(%x: f64[2]) -> f64[2] { %a = stop_gradient %x\n %b = mul %a, %x\n return %b }");
  const auto report = gradcheck(*module, *module->find("f"), random_arguments(*module->find("f"), 1));
  ASSERT_TRUE(report.has_value());
  EXPECT_FALSE(report->passed);
  EXPECT_NE(report->message.find("differences give"), std::string::npos);
}

TEST(Gradcheck, RefusesSmallFloats) {
  const auto module = module_of("func @f(%x: f32[2]) -> f32[2] { return %x }");
  EXPECT_FALSE(gradcheck(*module, *module->find("f"), random_arguments(*module->find("f"), 1)).has_value());
}

}  // namespace
}  // namespace hyperion::passes

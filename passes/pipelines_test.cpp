#include "passes/pipelines.hpp"

#include <gtest/gtest.h>

#include "passes/autodiff/vjp.hpp"
#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using testing_support::module_of;
using testing_support::random_arguments;

TEST(Pipelines, PrintAndReadBack) {
  EXPECT_EQ(strict_pipeline().text(),
            "@after_record, inline, expand, cse, canonicalize, @after_canonicalize, layout, canonicalize, cse, "
            "dce, @before_fuse");
  EXPECT_TRUE(strict_pipeline("main").text().starts_with("@after_record, inline{entry=main}, expand"));
  Diagnostics diagnostics;
  const auto again = Pipeline::parse(fast_pipeline().text(), diagnostics);
  ASSERT_TRUE(again.has_value()) << diagnostics.render();
  EXPECT_EQ(again->hash(), fast_pipeline().hash());
  EXPECT_NE(again->hash(), strict_pipeline().hash());
}

constexpr const char* kMlp = R"(
  func @dense(%x: f32[4, 5], %w: f32[5, 5], %b: f32[5]) -> f32[4, 5] {
    %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
    %bb = broadcast %b {dims = [1], shape = [4, 5]}
    %z = add %y, %bb
    %r = max %z, 0.0
    return %r
  }
  func @f(%x: f32[4, 5], %w: f32[5, 5], %b: f32[5], %v: f32[5, 5]) -> f32[] {
    %h = call @dense(%x, %w, %b)
    %t = transpose %v {permutation = [1, 0]}
    %y = call @dense(%h, %t, %b)
    %s = mul %y, %y
    %l = reduce %s {axes = [0, 1], kind = "sum"}
    %m = div %l, 20.0
    return %m
  })";

TEST(Pipelines, StrictKeepsEveryBitOfATrainingStep) {
  const auto module = module_of(kMlp);
  vjp(*module, *module->find("f"), {false, true, true, true}, "step");
  const auto arguments = random_arguments(*module->find("step"), 5);
  const auto before = testing_support::run(*module, "step", arguments);
  const std::size_t ops = module->find("step")->op_count();
  Diagnostics diagnostics;
  ASSERT_TRUE(run(strict_pipeline(), *module, diagnostics, {.verify_each = true}).has_value()) << diagnostics.render();
  EXPECT_LT(module->find("step")->op_count(), ops);
  const auto after = testing_support::run(*module, "step", arguments);
  for (std::size_t k = 0; k < before.size(); ++k) EXPECT_EQ(*before[k], *after[k]) << k;
}

TEST(Pipelines, FastStaysClose) {
  const auto module = module_of(kMlp);
  vjp(*module, *module->find("f"), {false, true, true, true}, "step");
  const auto arguments = random_arguments(*module->find("step"), 6);
  const auto before = testing_support::run(*module, "step", arguments);
  Diagnostics diagnostics;
  ASSERT_TRUE(run(fast_pipeline(), *module, diagnostics, {.verify_each = true}).has_value()) << diagnostics.render();
  const auto after = testing_support::run(*module, "step", arguments);
  for (std::size_t k = 0; k < before.size(); ++k) {
    const auto x = before[k]->dense_bytes(), y = after[k]->dense_bytes();
    for (std::size_t at = 0; at < x.size(); at += 4) {
      EXPECT_NEAR(element_to_double(DType::f32, x.data() + at), element_to_double(DType::f32, y.data() + at), 1e-5);
    }
  }
}

}  // namespace
}  // namespace hyperion::passes

#include "passes/specialize.hpp"

#include <gtest/gtest.h>

#include "passes/pass_manager.hpp"
#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using testing_support::module_of;

TEST(Specialize, RewritesTypesShapesConstantsAndSlices) {
  const auto module = module_of(R"(
    func @f(%x: f32[n, 3], %b: f32[3]) -> f32[n-1, 3] {
      %c = call @g(%x)
      %d = broadcast %b {dims = [1], shape = [n, 3]}
      %e = add %c, %d
      %s = slice %e {starts = [1, 0], limits = [-1, 3], strides = [1, 1]}
      return %s
    }
    func @g(%x: f32[n, 3]) -> f32[n, 3] {
      %two = constant 2.0 : f32[n, 3]
      %y = mul %x, %two
      return %y
    })");
  Diagnostics diagnostics;
  const auto pipeline = Pipeline::parse("specialize{symbols=\"n=4 unused=7\"}", diagnostics);
  ASSERT_TRUE(pipeline.has_value()) << diagnostics.render();
  const auto changed = run(*pipeline, *module, diagnostics, {.verify_each = true});
  ASSERT_TRUE(changed.has_value()) << diagnostics.render();
  EXPECT_EQ(*changed, Changed::yes);
  EXPECT_EQ(module->find("f")->result_types()[0].text(), "f32[3, 3]");
  EXPECT_EQ(module->find("g")->parameter_types()[0].text(), "f32[4, 3]");
  EXPECT_EQ(testing_support::run(*module, "f", testing_support::random_arguments(*module->find("f"), 1)).size(), 1u);
  EXPECT_EQ(*run(*pipeline, *module, diagnostics), Changed::no);
}

TEST(Specialize, ReportsWhatDoesNotFit) {
  const auto module = module_of(R"(func @f(%x: f32[n]) -> f32[n-2] {
    %s = slice %x {starts = [2], limits = [-1], strides = [1]}
    return %s
  })");
  Diagnostics diagnostics;
  EXPECT_FALSE(run(*Pipeline::parse("specialize{symbols=\"n=1\"}", diagnostics), *module, diagnostics).has_value());
  EXPECT_NE(diagnostics.render().find("[slice.c2]"), std::string::npos) << diagnostics.render();
}

TEST(Specialize, RefusesOptionsItCannotRead) {
  const auto module = module_of("func @f(%x: f32[n]) -> f32[n] { return %x }");
  for (const char* text : {"specialize{symbols=\"n\"}", "specialize{symbols=\"n=x\"}", "specialize{symbols=\"=4\"}"}) {
    Diagnostics diagnostics;
    EXPECT_FALSE(run(*Pipeline::parse(text, diagnostics), *module, diagnostics).has_value()) << text;
    EXPECT_NE(diagnostics.render().find("[pass.option]"), std::string::npos);
  }
}

}  // namespace
}  // namespace hyperion::passes

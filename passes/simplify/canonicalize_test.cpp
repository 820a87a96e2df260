#include "passes/simplify/canonicalize.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "ir/builder.hpp"
#include "ir/text/print.hpp"
#include "passes/pass_manager.hpp"
#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using testing_support::module_of;

// The body of @f after the pipeline.
std::string after(std::string_view pipeline_text, std::string_view functions) {
  const auto module = module_of(functions);
  Diagnostics diagnostics;
  const auto pipeline = Pipeline::parse(pipeline_text, diagnostics);
  EXPECT_TRUE(pipeline.has_value()) << diagnostics.render();
  EXPECT_TRUE(run(*pipeline, *module, diagnostics, {.verify_each = true}).has_value()) << diagnostics.render();
  // Line by line, without header, indentation, alignment and closing brace.
  std::istringstream lines(ir::print(*module->find("f"), {.locations = false}));
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("func @") != std::string::npos || line.find('}') == line.find_first_not_of(' ')) continue;
    std::istringstream words(line);
    std::string joined;
    for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
    text += joined + "\n";
  }
  return text;
}

TEST(Canonicalize, FollowsChainsOfRules) {
  EXPECT_EQ(after("canonicalize", R"(func @f(%x: f32[2, 3]) -> f32[2, 3] {
    %a = transpose %x {permutation = [1, 0]}
    %b = neg %a
    %c = mul %b, 1.0
    %d = neg %c
    %e = transpose %d {permutation = [1, 0]}
    return %e
  })"), "return %x\n");
}

TEST(Canonicalize, KeepsToItsPolicy) {
  const char* text = "func @f(%x: f32[2]) -> f32[2] { %a = add %x, 0.0\n %b = sub %a, %a\n return %b }";
  EXPECT_EQ(after("canonicalize", text), "%a = add %x, 0.0 : f32[2]\n%b = sub %a, %a : f32[2]\nreturn %b\n");
  EXPECT_EQ(after("canonicalize{policy=signless_zero}", text), "%b = sub %x, %x : f32[2]\nreturn %b\n");
  EXPECT_EQ(after("canonicalize{policy=fast}", text), "%b = constant 0.0 : f32[2]\nreturn %b\n");
}

TEST(Canonicalize, IntegersHaveStrongerTags) {
  EXPECT_EQ(after("canonicalize", "func @f(%x: i32[2]) -> i32[2] { %a = add %x, 0\n %b = sub %a, %a\n return %b }"),
            "%b = constant 0 : i32[2]\nreturn %b\n");
}

TEST(Canonicalize, RulesCanBeSwitchedOff) {
  const char* text = "func @f(%x: f32[2]) -> f32[2] { %a = neg %x\n %b = neg %a\n return %b }";
  EXPECT_EQ(after("canonicalize", text), "return %x\n");
  EXPECT_EQ(after("canonicalize{disable=\"neg.neg add.zero\"}", text),
            "%a = neg %x : f32[2]\n%b = neg %a : f32[2]\nreturn %b\n");
}

TEST(Canonicalize, RefusesUnknownPoliciesAndRules) {
  const auto module = module_of("func @f(%x: f32[2]) -> f32[2] { return %x }");
  for (const auto& [text, message] : {std::pair{"canonicalize{policy=wild}", "policy 'wild' is not strict"},
                                      std::pair{"canonicalize{disable=neg.negg}", "did you mean 'neg.neg'?"}}) {
    Diagnostics diagnostics;
    EXPECT_FALSE(run(*Pipeline::parse(text, diagnostics), *module, diagnostics).has_value());
    EXPECT_NE(diagnostics.render().find(message), std::string::npos) << diagnostics.render();
  }
}

TEST(Canonicalize, FoldsConstants) {
  EXPECT_EQ(after("canonicalize", R"(func @f(%x: f32[2, 100000]) -> f32[2, 100000] {
    %a = constant 2.0 : f32[]
    %b = broadcast %a {dims = [], shape = [2, 100000]}
    %c = mul %b, %b
    %d = add %c, %b
    %e = mul %x, %d
    return %e
  })"), "%d = constant 6.0 : f32[2, 100000]\n%e = mul %x, %d : f32[2, 100000]\nreturn %e\n");
}

TEST(Canonicalize, TakesTranspositionsIntoDots) {
  EXPECT_EQ(after("canonicalize", R"(func @f(%x: f32[4, 3], %w: f32[5, 4]) -> f32[5, 3] {
    %a = transpose %x {permutation = [1, 0]}
    %b = transpose %w {permutation = [1, 0]}
    %c = dot %a, %b {lhs_contract = [1], rhs_contract = [0]}
    %d = transpose %c {permutation = [1, 0]}
    return %d
  })"), "%d = dot %w, %x {lhs_contract = [1], rhs_contract = [0]} : f32[5, 3]\nreturn %d\n");
}

TEST(Canonicalize, WorksWithSymbolicSizes) {
  EXPECT_EQ(after("canonicalize", R"(func @f(%x: f32[n, 3]) -> f32[n, 3] {
    %a = transpose %x {permutation = [1, 0]}
    %b = exp %a
    %c = transpose %b {permutation = [1, 0]}
    return %c
  })"), "%c = exp %x : f32[n, 3]\nreturn %c\n");
}

TEST(Canonicalize, GivesNewOpsTheLocationsOfTheOld) {
  const auto module = module_of(R"(func @f(%x: f32[2]) -> f32[2] {
    %a = neg %x : f32[2] loc("a.cpp":1:2)
    %b = add %a, %a : f32[2] loc("b.cpp":3:4)
    return %b
  })");
  Diagnostics diagnostics;
  ASSERT_TRUE(run(*Pipeline::parse("canonicalize", diagnostics), *module, diagnostics).has_value());
  const ir::Function& f = *module->find("f");
  EXPECT_EQ(f.producer(f.results()[0])->location.text(), "fused[\"b.cpp\":3:4, \"a.cpp\":1:2]");
}

TEST(Canonicalize, StopsRulesThatChaseEachOther) {
  Diagnostics diagnostics;
  const auto rules = parse_rules("rule a : B neg(%x) => abs(%x)  rule b : B abs(%x) => neg(%x)", "test", diagnostics);
  ASSERT_TRUE(rules.has_value()) << diagnostics.render();
  const auto module = module_of("func @f(%x: f32[2]) -> f32[2] { %a = neg %x\n return %a }");
  PassContext context{.diagnostics = diagnostics};
  EXPECT_EQ(canonicalize(*module, *module->find("f"), {.rules = *rules}, context), Changed::yes);
  EXPECT_NE(diagnostics.render().find("[pass.limit]"), std::string::npos) << diagnostics.render();
}

TEST(Inline, WritesCalleesOutAndErasesThem) {
  const char* text = R"(
    func @h(%x: f32[2]) -> f32[2] { %a = exp %x
      return %a }
    func @g(%x: f32[2]) -> f32[2] { %a = call @h(%x)
      %b = call @h(%a)
      return %b }
    func @f(%x: f32[2]) -> f32[2] { %a = call @g(%x)
      return %a })";
  EXPECT_EQ(after("inline{entry=f}", text), "%0 = exp %x : f32[2]\n%a = exp %0 : f32[2]\nreturn %a\n");
  const auto module = module_of(text);
  Diagnostics diagnostics;
  ASSERT_TRUE(run(*Pipeline::parse("inline{entry=f}", diagnostics), *module, diagnostics).has_value());
  EXPECT_EQ(module->functions().size(), 1u);
}

TEST(Inline, RefusesAnEntryThatDoesNotExist) {
  const auto module = module_of("func @f(%x: f32[2]) -> f32[2] { return %x }");
  Diagnostics diagnostics;
  EXPECT_FALSE(run(*Pipeline::parse("inline{entry=g}", diagnostics), *module, diagnostics).has_value());
  EXPECT_NE(diagnostics.render().find("no function is called @g"), std::string::npos);
}

TEST(Expand, DropsStopGradient) {
  EXPECT_EQ(after("expand", "func @f(%x: f32[2]) -> f32[2] { %a = stop_gradient %x\n return %a }"), "return %x\n");
}

TEST(Cse, MergesEqualOpsAndNothingElse) {
  EXPECT_EQ(after("cse", R"(func @f(%x: f32[2], %y: f32[2]) -> f32[2] {
    %a = add %x, %y
    %b = add %y, %x
    %c = sub %x, %y
    %d = sub %y, %x
    %e = mul %a, %b
    %g = mul %c, %d
    %h = mul %e, %g
    return %h
  })"), R"(%a = add %x, %y : f32[2]
%c = sub %x, %y : f32[2]
%d = sub %y, %x : f32[2]
%e = mul %a, %a : f32[2]
%g = mul %c, %d : f32[2]
%h = mul %e, %g : f32[2]
return %h
)");
}

TEST(Cse, DoesNotMergeAcrossBarriers) {
  const std::string text = after("cse", R"(func @f(%x: f32[2]) -> f32[2] {
    %a = exp %x
    %b = barrier %x
    %c = exp %b
    %d = add %a, %c
    return %d
  })");
  EXPECT_NE(text.find("%c = exp %b"), std::string::npos) << text;
}

// A chain of n adds of zero, each of which goes: rewrites grow with n, not faster.
TEST(Canonicalize, WorkIsLinear) {
  const auto rewrites = [](int count) {
    ir::Module module;
    ir::Builder builder(module.add("f"), &module);
    const Type type(DType::f32, {Dim(4)});
    ir::Value x = builder.parameter(type);
    for (int k = 0; k < count; ++k) x = -(x * 1.0);
    builder.return_values(std::vector{x});
    Diagnostics diagnostics;
    Timing timing;
    EXPECT_TRUE(run(*Pipeline::parse("canonicalize, cse, dce", diagnostics), module, diagnostics,
                    {.instrumentations = {&timing}}).has_value());
    EXPECT_EQ(module.find("f")->op_count(), 1u);
    return timing.rows()[0].rewrites;
  };
  const std::size_t small = rewrites(1000), large = rewrites(10000);
  EXPECT_LE(large, 10 * small + 100);
}

}  // namespace
}  // namespace hyperion::passes

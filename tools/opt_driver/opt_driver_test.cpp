#include "tools/opt_driver/opt_driver.hpp"

#include <gtest/gtest.h>

#include "ir/op_definition.hpp"
#include "ir/transforms.hpp"
#include "passes/pass_manager.hpp"
#include "tools/opt_driver/cli.hpp"
#include "tools/opt_driver/golden.hpp"

namespace hyperion::tools {
namespace {

constexpr const char* kProgram = R"(hyperion 1
module @m {
  func @f(%x: f64[3]) -> f64[3] {
    %a = mul %x, 2.0 : f64[3] loc("user.cpp":7:3)
    %b = add %a, %x  : f64[3] loc("user.cpp":8:3)
    return %b
  }
}
)";

OptResult run_line(std::vector<std::string> words, const std::string& text = kProgram) {
  std::variant<OptConfig, OptResult> parsed = parse_command_line(std::move(words));
  if (auto* answer = std::get_if<OptResult>(&parsed)) return *answer;
  OptConfig config = std::get<OptConfig>(std::move(parsed));
  config.input_text = text;
  return execute(config);
}

// Two rewrites of `op` into `other` of the same operands: the first is right when both are the same
// op.
passes::PassDefinition replacing_pass(std::string_view name, std::string_view from,
                                      std::string_view to) {
  passes::PassDefinition pass{.name = name, .doc = "Replaces one op by another, right or wrong."};
  pass.run = [from, to](ir::Module& module, const ir::Attributes&,
                        passes::PassContext& context) -> Result<passes::Changed> {
    for (const auto& function : module.functions()) {
      passes::Rewriter rewriter(module, *function, context);
      for (ir::OpId id : function->ops()) {
        if (!function->op(id).is(from)) continue;
        ir::Builder builder = rewriter.before(id);
        const std::vector<ir::ValueId> operands = function->op(id).operands;
        const ir::Value value =
            builder.apply(to, {builder.wrap(operands[0]), builder.wrap(operands[1])});
        rewriter.replace(id, {value.id}, "test.replace");
      }
    }
    return passes::Changed::yes;
  };
  return pass;
}

TEST(Check, NamesThePassAndTheRewriteThatChangedTheNumbers) {
  ASSERT_TRUE(passes::register_pass(replacing_pass("test_right", "mul", "mul")));
  ASSERT_TRUE(passes::register_pass(replacing_pass("test_wrong", "add", "sub")));
  const OptResult good = run_line({"check", "-", "-p", "test_right"});
  EXPECT_EQ(good.exit_code, kExitGood) << good.messages;
  EXPECT_NE(good.output.find("same bits"), std::string::npos) << good.output;
  const OptResult bad = run_line({"check", "-", "-p", "test_right, test_wrong", "--per-rewrite"});
  EXPECT_EQ(bad.exit_code, kExitAnswerIsNo);
  EXPECT_NE(bad.output.find("WRONG"), std::string::npos) << bad.output;
  EXPECT_NE(
      bad.messages.find(
          "user.cpp:8:3: error: numbers change at rewrite 1 of 1 in 'test_wrong': test.replace "
          "[check.miscompile]"),
      std::string::npos)
      << bad.messages;
  EXPECT_NE(bad.messages.find("of result 0 was"), std::string::npos) << bad.messages;
}

TEST(Gradcheck, FindsAWrongDerivative) {
  ir::OpDefinition wrong = ir::op("exp");
  wrong.name = "test_wrong_exp";
  wrong.jvp = [](ir::JvpContext& c) { return std::vector{c.tangent() * 2.0}; };
  ASSERT_TRUE(ir::register_op(std::move(wrong)));
  const std::string text =
      "hyperion 1\nmodule @m {\n  func @f(%x: f64[3]) -> f64[3] {\n    %y = OP %x\n    return %y\n "
      " }\n}\n";
  const auto with = [&](const std::string& op) {
    return std::string(text).replace(text.find("OP"), 2, op);
  };
  EXPECT_EQ(run_line({"gradcheck", "-"}, with("exp")).exit_code, kExitGood);
  const OptResult bad = run_line({"gradcheck", "-"}, with("test_wrong_exp"));
  EXPECT_EQ(bad.exit_code, kExitAnswerIsNo);
  EXPECT_NE(bad.messages.find("[gradcheck.mismatch]"), std::string::npos) << bad.messages;
}

TEST(CommandLine, SuggestsAndUsesTheRightExitCodes) {
  const OptResult typo = run_line({"chek", "x.hir"});
  EXPECT_EQ(typo.exit_code, kExitUsage);
  EXPECT_EQ(typo.messages, "error: unknown subcommand 'chek', did you mean 'check'?\n");
  EXPECT_EQ(run_line({"absent.hir"}).exit_code, kExitUnreadable);
  EXPECT_EQ(run_line({"run", "-", "--speed"}).exit_code, kExitUsage);
  EXPECT_EQ(run_line({"gradcheck", "-", "--order", "9"}).exit_code, kExitUsage);
  EXPECT_EQ(run_line({"interpret", "-", "--dims", "n"}).exit_code, kExitUsage);
  EXPECT_EQ(run_line({"--help"}).exit_code, kExitGood);
  EXPECT_EQ(run_line({"emit", "-", "--as=kernle"}).exit_code, kExitUsage);
  EXPECT_EQ(run_line({"-", "-p", "dce"}).exit_code, kExitGood);
}

TEST(CommandLine, MissingFileIsUnreadable) {
  OptConfig config;
  config.input = "/nonexistent/in.hir";
  const OptResult result = execute(config);
  EXPECT_EQ(result.exit_code, kExitUnreadable);
  EXPECT_NE(result.messages.find("/nonexistent/in.hir"), std::string::npos) << result.messages;
}

TEST(Run, SeveralModulesAndJson) {
  const std::string two = std::string(kProgram) + "// -----\n" + kProgram;
  const OptResult result = run_line({"run", "-"}, two);
  EXPECT_NE(result.output.find("}\n// -----\nhyperion 1\n"), std::string::npos) << result.output;
  const OptResult json = run_line({"run", "-", "--format=json"}, "hyperion 3\n");
  EXPECT_NE(json.messages.find("\"id\": \"parse.version\""), std::string::npos) << json.messages;
}

TEST(Golden, FailsOnAnyDifferenceAndUpdates) {
  const std::string text = "// RUN: run\n" + std::string(kProgram);
  GoldenTest test = read_golden("t.hir", text);
  EXPECT_NE(run_golden(test, false), "");
  EXPECT_EQ(run_golden(test, true), "");
  GoldenTest again = read_golden("t.hir", write_golden(test));
  EXPECT_EQ(run_golden(again, false), "");
  EXPECT_EQ(write_golden(again), write_golden(test));
  again.runs[0].expected += "x\n";
  EXPECT_NE(run_golden(again, false), "");
  GoldenTest unexpected =
      read_golden("t.hir", "// RUN: run\nhyperion 2  // expect-error: parse.syntax\n");
  EXPECT_NE(run_golden(unexpected, true), "");
}

}  // namespace
}  // namespace hyperion::tools

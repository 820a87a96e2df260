#include "tools/opt_driver/opt_driver.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "ir/op_definition.hpp"
#include "ir/transforms.hpp"
#include "passes/pass_manager.hpp"
#include "tests/support/source_path.hpp"
#include "tests/support/temp_folder.hpp"
#include "tools/opt_driver/cli.hpp"
#include "tools/opt_driver/colour.hpp"
#include "tools/opt_driver/golden.hpp"
#include "tools/opt_driver/reproducer.hpp"

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

constexpr const char* kSymbolic = R"(hyperion 1
module @m {
  func @f(%x: f64[n, m]) -> f64[n, m] {
    %a = mul %x, 2.0
    return %a
  }
}
)";

TEST(Check, RunsEverySize) {
  const OptResult result =
      run_line({"check", "-", "-p", "canonicalize", "--dims", "n=1,7,m=3"}, kSymbolic);
  EXPECT_EQ(result.exit_code, kExitGood) << result.messages;
  EXPECT_EQ(result.output.find("m = 3, n = 1\n"), 0u) << result.output;
  EXPECT_NE(result.output.find("m = 3, n = 7\n"), std::string::npos) << result.output;
  const OptResult json =
      run_line({"check", "-", "-p", "dce", "--dims", "n=1,7,m=3,4", "--format=json"}, kSymbolic);
  for (const char* dims : {"{\"m\": 3, \"n\": 1}", "{\"m\": 3, \"n\": 7}", "{\"m\": 4, \"n\": 1}",
                           "{\"m\": 4, \"n\": 7}"}) {
    EXPECT_NE(json.output.find(dims), std::string::npos) << json.output;
  }
}

TEST(Check, ComparesCompiledCodeToo) {
  const OptResult result = run_line({"check", "-", "--compiled", "-p", "dce"});
  EXPECT_EQ(result.exit_code, kExitGood) << result.messages;
  const std::size_t row = result.output.find("  compiled code ");
  ASSERT_NE(row, std::string::npos) << result.output;
  EXPECT_NE(result.output.find("same bits", row), std::string::npos) << result.output;
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
  EXPECT_EQ(run_line({"interpret", "-", "--dims", "7"}).exit_code, kExitUsage);
  EXPECT_EQ(run_line({"check", "-", "--dims", "n=1,n=2"}).exit_code, kExitUsage);
  EXPECT_EQ(run_line({"interpret", "-", "--dims", "n=1,2"}).exit_code, kExitUsage);
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

TEST(Emit, HonoursOrRefusesEveryOption) {
  const auto emit = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"emit", "-"});
    return run_line(std::move(words));
  };
  for (const std::string form : {"groups", "kernel", "llvm", "asm", "cpp", "plan"}) {
    SCOPED_TRACE(form);
    const OptResult unknown = emit({"--as=" + form, "--stop-after", "nosuch"});
    EXPECT_EQ(unknown.exit_code, kExitAnswerIsNo);
    EXPECT_NE(unknown.messages.find("no step 'nosuch'"), std::string::npos) << unknown.messages;
    const OptResult stopped = emit({"--as=" + form, "--stop-after", "inline", "--timing"});
    EXPECT_EQ(stopped.exit_code, kExitGood) << stopped.messages;
    EXPECT_NE(stopped.messages.find("\ninline "), std::string::npos) << stopped.messages;
    EXPECT_EQ(stopped.messages.find("\nexpand "), std::string::npos) << stopped.messages;
    EXPECT_NE(emit({"--as=" + form, "--print=all"}).messages.find("// after canonicalize"),
              std::string::npos);
    EXPECT_EQ(emit({"--as=" + form, "--fast", "-p", "dce"}).exit_code, kExitUsage);
    const bool is_module = form == "groups" || form == "kernel";
    for (const char* option : {"--users", "--defaults"}) {
      EXPECT_EQ(emit({"--as=" + form, option}).exit_code, is_module ? kExitGood : kExitUsage)
          << option;
    }
  }
  EXPECT_NE(emit({"--as=groups", "--users"}).output, emit({"--as=groups"}).output);
  for (const std::vector<std::string>& refused :
       {std::vector<std::string>{"--fast"}, {"--target=aarch64"}, {"@f"}}) {
    EXPECT_EQ(emit(refused).exit_code, kExitUsage) << refused[0];
  }
}

TEST(Emit, FastAppliesRulesOfTheReals) {
  const std::string text = R"(hyperion 1
module @m {
  func @f(%x: f32[4]) -> f32[4] {
    %0 = mul %x, 0.3 : f32[4]
    %1 = mul %0, 0.7 : f32[4]
    return %1
  }
}
)";
  const auto multiplications = [&](std::vector<std::string> words) {
    const std::string shown = run_line(std::move(words), text).output;
    int count = 0;
    for (std::size_t at = 0; (at = shown.find(" mul ", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(multiplications({"emit", "-", "--as=groups"}), 2);
  EXPECT_EQ(multiplications({"emit", "-", "--as=groups", "--fast"}), 1);
}

TEST(Run, TimingHasARowForEachPass) {
  const OptResult text = run_line({"run", "-", "-p", "canonicalize, dce", "--timing"});
  EXPECT_EQ(text.messages.find("pass"), 0u) << text.messages;
  EXPECT_NE(text.messages.find("\ndce "), std::string::npos) << text.messages;
  const OptResult json = run_line({"run", "-", "-p", "dce", "--timing", "--format=json"});
  EXPECT_NE(json.messages.find("\"schema\": \"hyperion.timing/1\""), std::string::npos)
      << json.messages;
}

passes::PassDefinition broken_pass() {
  passes::PassDefinition pass{.name = "test_broken", .doc = "Breaks an invariant on purpose."};
  pass.run = [](ir::Module&, const ir::Attributes&,
                passes::PassContext&) -> Result<passes::Changed> {
    HYP_CHECK(1 + 1 == 3, "two and two do not meet");
    return passes::Changed::no;
  };
  return pass;
}

TEST(InternalError, ExitsWithSeventyAndLeavesAReproducer) {
  passes::register_pass(broken_pass());
  const testing_support::TempFolder folder;
  OptConfig config =
      std::get<OptConfig>(parse_command_line({"run", "in/mlp.hir", "-p", "dce, test_broken"}));
  config.input_text = kProgram;
  const auto run_and_break = [&] {
    std::filesystem::current_path(folder.path("."));
    exit_with_reproducer(config);
    execute(config);
  };
  const std::string name = "mlp.test_broken.repro.hir";
  EXPECT_EXIT(run_and_break(), ::testing::ExitedWithCode(kExitInternal),
              "two and two do not meet(.|\n)*written " + name + "; please attach this file");

  std::ifstream file(folder.path(name));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(text.ends_with(kProgram)) << text;
  EXPECT_NE(text.find("// " + std::string(kOptVersion)), std::string::npos) << text;
  const GoldenTest again = read_golden(name, text);
  ASSERT_EQ(again.runs.size(), 1u) << text;
  EXPECT_EQ(again.runs[0].command, "run -p 'dce, test_broken'");
}

TEST(Colour, PaintsSeveritiesAndMarksOnly) {
  EXPECT_EQ(in_colour("a.hir:4:14: error: dot: sizes differ [dot.c2]\n  %0 = dot %x\n       ^~~\n"
                      "  hint: hyperion-opt explain dot.c2\n"),
            "a.hir:4:14: \x1b[1;31merror: \x1b[0mdot: sizes differ [dot.c2]\n  %0 = dot %x\n"
            "\x1b[32m       ^~~\x1b[0m\n  \x1b[32mhint: \x1b[0mhyperion-opt explain dot.c2\n");
  EXPECT_EQ(in_colour("// my error: text"), "// my error: text");
}

TEST(List, PhasesAndTargets) {
  const std::string phases = run_line({"list", "phases"}).output;
  EXPECT_NE(phases.find("@after_canonicalize"), std::string::npos) << phases;
  const std::string targets = run_line({"list", "targets"}).output;
  EXPECT_NE(targets.find("aarch64 "), std::string::npos) << targets;
  EXPECT_NE(targets.find("512-bit vectors"), std::string::npos) << targets;
  // Every phase is a step that --stop-after finds.
  EXPECT_EQ(run_line({"emit", "-", "--as=groups", "--stop-after=@after_canonicalize"}).exit_code,
            kExitGood);
}

// Every command's result is one JSON document or several, each with its schema.
TEST(Json, EverywhereWithASchema) {
  const std::pair<std::vector<std::string>, std::string> commands[] = {
      {{"run", "-"}, "emit"},
      {{"emit", "-", "--as=kernel"}, "emit"},
      {{"interpret", "-"}, "interpret"},
      {{"check", "-", "-p", "dce"}, "check"},
      {{"gradcheck", "-"}, "gradcheck"},
      {{"list", "passes"}, "list"},
      {{"explain", "dot"}, "explain"},
      {{"test", testing_support::source_path("tests/ir/kernel")}, "test"},
  };
  for (auto [words, schema] : commands) {
    words.push_back("--format=json");
    const OptResult result = run_line(words);
    EXPECT_EQ(result.exit_code, kExitGood) << result.messages;
    EXPECT_EQ(result.output.find("{\"schema\": \"hyperion." + schema + "/1\", "), 0u)
        << result.output;
    EXPECT_TRUE(result.output.ends_with("}\n")) << result.output;
  }
}

}  // namespace
}  // namespace hyperion::tools

#include "passes/pass_manager.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using testing_support::module_of;

Result<Changed> nothing(ir::Module&, const ir::Attributes&, PassContext&) { return Changed::no; }

// A pass with one option of each kind.
void register_test_passes() {
  static const bool once = [] {
    return register_pass({.name = "test_options",
                          .doc = "does nothing",
                          .options = {{"deep", ir::AttributeKind::boolean, "a boolean", false},
                                      {"max_ops", ir::AttributeKind::integer, "an integer", std::int64_t{8}},
                                      {"ratio", ir::AttributeKind::real, "a real", 0.5},
                                      {"mode", ir::AttributeKind::text, "a text", std::string("slow")}},
                          .run = nothing}) &&
           register_pass({.name = "test_failure",
                          .doc = "fails",
                          .run = [](ir::Module&, const ir::Attributes&, PassContext& context) -> Result<Changed> {
                            context.diagnostics.error("pass.option", "failing on purpose");
                            return failure();
                          }});
  }();
  ASSERT_TRUE(once);
}

std::string printed(std::string_view text) {
  register_test_passes();
  Diagnostics diagnostics;
  const auto pipeline = Pipeline::parse(text, diagnostics);
  return pipeline ? pipeline->text() : diagnostics.render();
}

TEST(Pipeline, PrintsWhatDiffersFromDefaults) {
  EXPECT_EQ(printed(""), "");
  EXPECT_EQ(printed("dce"), "dce");
  EXPECT_EQ(printed("  dce ,dce{} "), "dce, dce");
  EXPECT_EQ(printed("test_options{max_ops=16, mode=fast deep=true}, @after_fuse, dce"),
            "test_options{deep=true max_ops=16 mode=fast}, @after_fuse, dce");
  EXPECT_EQ(printed("test_options{max_ops=8 ratio=-1e-3}"), "test_options{ratio=-0.001}");
  EXPECT_EQ(printed("test_options{mode=\"two words\"}"), "test_options{mode=\"two words\"}");
}

TEST(Pipeline, HashesItsText) {
  register_test_passes();
  Diagnostics diagnostics;
  EXPECT_EQ(Pipeline::parse("dce,dce", diagnostics)->hash(), Pipeline::parse("dce , dce{}", diagnostics)->hash());
  EXPECT_NE(Pipeline::parse("dce,dce", diagnostics)->hash(), Pipeline::parse("dce", diagnostics)->hash());
}

TEST(Pipeline, ExplainsMistakes) {
  EXPECT_EQ(printed("dce, dcs"),
            "<pipeline>:1:6: error: no pass is called 'dcs', did you mean 'dce'? [pass.unknown]\n"
            "dce, dcs\n     ^~~\n  hint: hyperion-opt explain pass.unknown\n");
  EXPECT_EQ(printed("test_options{max_op=16}"),
            "<pipeline>:1:14: error: test_options has no option 'max_op', did you mean 'max_ops'? [pass.option]\n"
            "test_options{max_op=16}\n             ^~~~~~\n  hint: hyperion-opt explain pass.option\n");
  EXPECT_EQ(printed("test_options{max_ops=many}"),
            "<pipeline>:1:22: error: option 'max_ops' of test_options cannot be 'many' [pass.option]\n"
            "test_options{max_ops=many}\n                     ^~~~\n  hint: hyperion-opt explain pass.option\n");
  for (const char* text : {"dce dce", "dce,", ",", "dce{", "test_options{deep}", "test_options{mode=\"x}", "@", "{}"}) {
    EXPECT_NE(printed(text).find("[pass.syntax]"), std::string::npos) << text << "\n" << printed(text);
  }
}

constexpr const char* kDead = R"(func @f(%x: f32[3]) -> f32[3] {
  %a = exp %x
  %b = mul %a, %a
  return %x
})";

TEST(PassManager, TellsInstrumentationEverything) {
  register_test_passes();
  struct Recorder : Instrumentation {
    std::string log;
    void before_pass(const PassEvent& event) override { log += "before " + event.step.text() + "\n"; }
    Result<> after_pass(const PassEvent&, Changed changed, Diagnostics&) override {
      log += changed == Changed::yes ? "changed\n" : "unchanged\n";
      return {};
    }
    void reached_phase(std::string_view phase, const ir::Module&) override { log += "@" + std::string(phase) + "\n"; }
    void rewritten(const RewriteEvent& event) override {
      log += std::string(event.pass) + ": " + std::string(event.function.op(event.before).name()) + "\n";
    }
  };
  const auto module = module_of(kDead);
  Recorder recorder;
  Timing timing;
  Diagnostics diagnostics;
  const auto changed = run(*Pipeline::parse("dce, @middle, dce", diagnostics), *module, diagnostics,
                           {.instrumentations = {&recorder, &timing}, .verify_each = true});
  ASSERT_TRUE(changed.has_value()) << diagnostics.render();
  EXPECT_EQ(*changed, Changed::yes);
  EXPECT_EQ(recorder.log, "before dce\ndce: mul\ndce: exp\nchanged\n@middle\nbefore dce\nunchanged\n");
  ASSERT_EQ(timing.rows().size(), 2u);
  EXPECT_EQ(timing.rows()[0].rewrites, 2u);
  EXPECT_FALSE(timing.rows()[1].changed);
}

TEST(PassManager, RewritesPrintBothSides) {
  struct Recorder : Instrumentation {
    std::string log;
    void rewritten(const RewriteEvent& event) override {
      log += std::string(event.rule) + ": " + event.before_text() + " => " + event.after_text() + "\n";
    }
  };
  const auto module = module_of("func @f(%x: f32[3]) -> f32[3] { %a = add %x, %x\n %b = abs %a\n %c = abs %b\n return %c }");
  Recorder recorder;
  Diagnostics diagnostics;
  ASSERT_TRUE(run(*Pipeline::parse("canonicalize", diagnostics), *module, diagnostics,
                  {.instrumentations = {&recorder}}).has_value());
  EXPECT_TRUE(recorder.log.starts_with("abs.abs: %c = abs %b : f32[3]")) << recorder.log;
  EXPECT_NE(recorder.log.find("=> %0 = abs %a : f32[3]"), std::string::npos) << recorder.log;
}

TEST(PassManager, StopsAtAFailureAndAtALimit) {
  register_test_passes();
  const auto module = module_of(kDead);
  Diagnostics diagnostics;
  EXPECT_FALSE(run(*Pipeline::parse("test_failure, dce", diagnostics), *module, diagnostics).has_value());
  EXPECT_EQ(module->find("f")->op_count(), 3u);
  RunLimit limit(1);
  Diagnostics more;
  EXPECT_EQ(*run(*Pipeline::parse("test_options, dce", more), *module, more, {.instrumentations = {&limit}}),
            Changed::no);
}

TEST(Pipeline, InsertsAtPhases) {
  register_test_passes();
  Diagnostics diagnostics;
  Pipeline pipeline = *Pipeline::parse("dce, @early, dce", diagnostics);
  EXPECT_TRUE(pipeline.insert_at("early", *Pipeline::parse("test_options", diagnostics)));
  EXPECT_FALSE(pipeline.insert_at("late", pipeline));
  EXPECT_EQ(pipeline.text(), "dce, @early, test_options, dce");
}

TEST(Passes, AreDocumentedAndSorted) {
  const auto passes = all_passes();
  EXPECT_TRUE(std::ranges::is_sorted(passes, {}, &PassDefinition::name));
  for (const PassDefinition* pass : passes) {
    EXPECT_FALSE(pass->doc.empty()) << pass->name;
    for (const ir::AttributeSpec& option : pass->options) {
      EXPECT_FALSE(option.doc.empty()) << pass->name << " " << option.name;
      EXPECT_TRUE(option.default_value.has_value()) << pass->name << " " << option.name;
    }
  }
}

}  // namespace
}  // namespace hyperion::passes

// The pipeline parser against mutated pipelines: no crash, every error has a place, and what parses
// prints as itself.
#include <gtest/gtest.h>

#include <sstream>

#include "passes/pass_manager.hpp"
#include "tests/fuzz/mutate.hpp"

namespace hyperion::fuzz {
namespace {

void check(const std::string& text) {
  Diagnostics diagnostics;
  const Result<passes::Pipeline> pipeline = passes::Pipeline::parse(text, diagnostics);
  EXPECT_EQ(pipeline.has_value(), !diagnostics.has_errors());
  for (const Diagnostic& one : diagnostics.all()) {
    EXPECT_TRUE(one.range.line >= 1 && one.range.column >= 1) << diagnostics.render(one);
  }
  if (!pipeline) return;
  Diagnostics again;
  const Result<passes::Pipeline> printed = passes::Pipeline::parse(pipeline->text(), again);
  ASSERT_TRUE(printed.has_value()) << again.render();
  EXPECT_EQ(printed->text(), pipeline->text());
}

TEST(Fuzz, PipelineParser) {
  std::vector<std::string> corpus;
  for (const std::string& file : read_corpus("tests/fuzz/corpus", ".pipelines")) {
    std::istringstream lines(file);
    for (std::string line; std::getline(lines, line);) corpus.push_back(line);
  }
  std::vector<std::string> words = {"{",    "}",  "=",   ",",           "@", "\"",
                                    "true", "-1", "1e9", "@after_fuse", " ", "\n"};
  for (const passes::PassDefinition* pass : passes::all_passes()) {
    words.emplace_back(pass->name);
    for (const ir::AttributeSpec& option : pass->options)
      words.push_back(std::string(option.name) + "=");
  }
  run(corpus, words, check);
}

}  // namespace
}  // namespace hyperion::fuzz

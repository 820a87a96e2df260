// The text parser against mutated .hir: no crash, every error has a place in the text, and what
// parses and verifies comes back from print and parse.
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/text/parse.hpp"
#include "ir/text/round_trip.hpp"
#include "passes/pass_manager.hpp"
#include "tests/fuzz/mutate.hpp"

namespace hyperion::fuzz {
namespace {

void check(const std::string& text) {
  Diagnostics diagnostics;
  const Result<std::unique_ptr<ir::Module>> module = ir::parse(text, "fuzz.hir", diagnostics);
  EXPECT_EQ(module.has_value(), !diagnostics.has_errors());
  const auto line_count = static_cast<std::uint32_t>(std::ranges::count(text, '\n') + 1);
  for (const Diagnostic& one : diagnostics.all()) {
    EXPECT_TRUE(one.range.line >= 1 && one.range.line <= line_count && one.range.column >= 1)
        << diagnostics.render(one);
  }
  (void)diagnostics.render();
  Diagnostics verification;
  if (module && ir::verify(**module, verification)) {
    EXPECT_EQ(ir::round_trip_defect(**module), "");
    // What verifies can be expanded: whatever a composite accepts, its parts accept.
    Diagnostics passes;
    const Result<passes::Pipeline> pipeline = passes::Pipeline::parse("expand, canonicalize", passes);
    EXPECT_TRUE(passes::run(*pipeline, **module, passes, {.verify_each = true}).has_value()) << passes.render();
  }
}

TEST(Fuzz, TextParser) {
  std::vector<std::string> corpus = read_corpus("tests/fuzz/corpus", ".hir");
  for (const char* folder : {"tests/ir", "tests/error"}) {
    for (std::string& text : read_corpus(folder, ".hir")) corpus.push_back(std::move(text));
  }
  std::vector<std::string> words = {"{",
                                    "}",
                                    "(",
                                    ")",
                                    "[",
                                    "]",
                                    ",",
                                    ":",
                                    "=",
                                    "->",
                                    "%x",
                                    "%0",
                                    "%\"a b\"",
                                    "@f",
                                    "func ",
                                    "kernel ",
                                    "return ",
                                    "loc(\"a\":1:2)",
                                    "attributes ",
                                    "literal ",
                                    "dims ",
                                    "constants {",
                                    "f32[2, 3]",
                                    "bool[]",
                                    "u8[0]",
                                    "f32[n]",
                                    "nan(0x7fc00001)",
                                    "inf",
                                    "true",
                                    "\"",
                                    "//",
                                    "\n",
                                    "-",
                                    "1.5",
                                    "hyperion 1\n",
                                    "module @m {"};
  for (const ir::OpDefinition* op : ir::all_ops()) words.push_back(std::string(op->example) + "\n");
  run(corpus, words, check);
}

}  // namespace
}  // namespace hyperion::fuzz

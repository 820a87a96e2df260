// The list of docs/gpu-kernels.md, as the program prints it.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "codegen/cuda/schedule_table.hpp"
#include "codegen/driver/code_version.hpp"
#include "tests/support/source_path.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion {
namespace {

namespace fs = std::filesystem;

// The block that shows this command, without the command.
std::string block(const std::string& page, const std::string& command) {
  const std::string opening = "```text\n$ " + command + "\n";
  const std::size_t begin = page.find(opening);
  if (begin == std::string::npos) return {};
  const std::size_t text = begin + opening.size();
  return page.substr(text, page.find("```", text) - text);
}

// Runs of spaces are one, and three dots are any text within a line.
std::regex pattern_of(const std::string& shown) {
  const std::string literal = std::regex_replace(shown, std::regex(R"([+(){}\[\]^$|\\])"), R"(\$&)");
  const std::string spaced = std::regex_replace(literal, std::regex(" +"), " +");
  return std::regex(std::regex_replace(spaced, std::regex(R"(\.\.\.)"), "[^\n]*"));
}

TEST(Tuning, ThePageShowsTheList) {
  std::ifstream file(testing_support::source_path("docs/gpu-kernels.md"));
  if (!file) GTEST_SKIP() << "the documents are not here";
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::string shown = block(page, "hyperion tune --list");
  ASSERT_FALSE(shown.empty());

  const testing_support::TempFolder folder;
  codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  target.device = "NVIDIA H200", target.driver = 13000, target.tf32 = true;
  {
    runtime::TuningStore store({.folder = folder.path("cache"), .version = std::string(codegen::code_version())});
    for (const char* name : {"contract bf16 NN 4096x4096x4096", "contract f32 NT 128x512x800 vector+add+relu"}) {
      const auto problem = runtime::TuningProblem::parse(name);
      // As many as `hyperion tune` measures; the model's pick is the fastest.
      const auto schedules = codegen::all_schedules(*codegen::problem_of(*problem), target);
      for (int k = 0; k < 12; ++k) {
        ASSERT_TRUE(store.put(*problem, codegen::machine_of(target),
                              {.schedule = schedules[static_cast<std::size_t>(k)].text(),
                               .seconds = 1e-6 * (k + 1),
                               .spread = 1e-9,
                               .runs = 7,
                               .peer_seconds = {},
                               .measured_at = 1'700'000'000}));
      }
    }
  }
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / "hyperion";
  setenv("HYPERION_CACHE_DIR", folder.path("cache").c_str(), 1);
  FILE* const output = popen((program.string() + " tune --list").c_str(), "r");
  ASSERT_NE(output, nullptr);
  std::string printed;
  for (int c; (c = std::fgetc(output)) != EOF;) printed += static_cast<char>(c);
  EXPECT_EQ(pclose(output), 0);
  EXPECT_TRUE(std::regex_match(printed, pattern_of(shown))) << printed << "but the page shows\n" << shown;
}

}  // namespace
}  // namespace hyperion

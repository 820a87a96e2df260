// The demo's output in README.md is what the program prints: the same losses to the last digit, on
// every machine. Only what is measured may differ: threads and images a second.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <vector>

#include "tests/support/source_path.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion {
namespace {

namespace fs = std::filesystem;

// The lines of the demo: those with numbers of their own.
std::vector<std::string> compared(const std::vector<std::string>& lines) {
  const std::regex measured(R"(cpu:0, \d+ threads|\d+ images/s)");
  std::vector<std::string> out;
  for (const std::string& line : lines) {
    const bool is_result = line.starts_with("mlp: ") || line.starts_with("epoch ") ||
                           line.starts_with("test accuracy ");
    if (is_result) out.push_back(std::regex_replace(line, measured, "..."));
  }
  return out;
}

constexpr std::string_view kPrompt = "$ build/release/bin/hyperion ";

TEST(Readme, ShowsWhatTheDemoPrints) {
  std::ifstream readme(testing_support::source_path("README.md"));
  if (!readme) GTEST_SKIP() << "the README is not here";
  std::vector<std::string> shown;
  std::string arguments;
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with(kPrompt))
      arguments = line.substr(kPrompt.size());
    else if (!arguments.empty() && line == "```")
      break;
    else if (!arguments.empty())
      shown.push_back(line);
  }
  ASSERT_FALSE(shown.empty()) << "README.md has no line that starts with '" << kPrompt << "'";

  const testing_support::TempFolder cache;
  setenv("HYPERION_CACHE_DIR", cache.path("cache").c_str(), 1);
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / "hyperion";
  FILE* const output = popen((program.string() + " " + arguments).c_str(), "r");
  ASSERT_NE(output, nullptr);
  std::vector<std::string> printed{""};
  for (int c; (c = std::fgetc(output)) != EOF;) {
    if (c == '\n')
      printed.emplace_back();
    else
      printed.back() += static_cast<char>(c);
  }
  EXPECT_EQ(pclose(output), 0);
  EXPECT_EQ(compared(shown), compared(printed));
}

}  // namespace
}  // namespace hyperion

// What docs/profiling.md shows besides its console blocks: the table of a training run, where only
// what is measured may differ, and a program, word for word.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <vector>

#include "frontend/engine.hpp"
#include "frontend/hyperion.hpp"
#include "tests/support/source_path.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion {
namespace {

namespace fs = std::filesystem;

std::string contents(const std::string& name) {
  std::ifstream file(testing_support::source_path(name));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Of a row of the table what does not depend on the machine: "50 launches of 7.086 MB and 104.366
// MFLOP, fma, fused_dot"; empty for other lines.
std::string fixed_part(const std::string& line) {
  static const std::regex row(
      R"(\s*[\d.]+\s+[\d.]+\s+(\d+)\s+[\d.]+\s+([\d.]+)\s+([\d.]+)\s+[\d.]+\s+[\d.]+\s+[\d.]+%\s+)"
      R"([\d.]+% (\S+)\s+(\w+).*)");
  std::smatch parts;
  if (!std::regex_match(line, parts, row)) return {};
  return parts[1].str() + " launches of " + parts[2].str() + " MB and " + parts[3].str() +
         " MFLOP, " + parts[4].str() + ", " + parts[5].str();
}

constexpr std::string_view kPrompt = "$ hyperion ";

TEST(Profiling, TheTableIsWhatTheRunPrints) {
  const std::string page = contents("docs/profiling.md");
  if (page.empty()) GTEST_SKIP() << "the documents are not here";
  const std::size_t begin = page.find(kPrompt);
  ASSERT_NE(begin, page.npos);
  const std::vector<std::string> shown =
      lines_of(page.substr(begin, page.find("```", begin) - begin));

  const testing_support::TempFolder folder;
  setenv("HYPERION_CACHE_DIR", folder.path("cache").c_str(), 1);
  const fs::path program = fs::read_symlink("/proc/self/exe").parent_path() / "hyperion";
  const std::string arguments = shown[0].substr(kPrompt.size());
  FILE* const output =
      popen(("cd " + folder.path("") + " && " + program.string() + " " + arguments).c_str(), "r");
  ASSERT_NE(output, nullptr);
  std::string text;
  for (int c; (c = std::fgetc(output)) != EOF;) text += static_cast<char>(c);
  EXPECT_EQ(pclose(output), 0);
  EXPECT_TRUE(fs::exists(folder.path("run.pftrace")));

  std::vector<std::string> printed;
  for (const std::string& line : lines_of(text)) printed.push_back(fixed_part(line));
  int rows = 0;
  for (const std::string& line : shown) {
    const std::string row = fixed_part(line);
    if (row.empty()) continue;
    ++rows;
    EXPECT_NE(std::ranges::find(printed, row), printed.end()) << row << "\n" << text;
  }
  EXPECT_GE(rows, 3);
  const auto heading = std::ranges::find_if(
      shown, [](const std::string& line) { return line.ends_with("of arithmetic  kernel"); });
  ASSERT_NE(heading, shown.end());
  EXPECT_NE(text.find("\n" + *heading + "\n"), text.npos);
}

TEST(Profiling, TheProgramDoesWhatItShows) {
  const std::string page = contents("docs/profiling.md");
  if (page.empty()) GTEST_SKIP() << "the documents are not here";
  const frontend::ScopedEngine engine({.use_disk_cache = false});
  std::ostringstream out;
  const Tensor x = zeros({100}) + tensor({1.0f});
  x.eval();
  // clang-format off
// program {
runtime::Profiler& profiler = frontend::instance()->profiler();
profiler.start_capture();
const Tensor y = x * x + x;
y.eval();
const runtime::Capture capture = profiler.stop_capture();
for (const runtime::ProfileRecord& record : capture.records) {
  const runtime::LabelInfo& label = record.label->info();
  if (label.category == "launch") out << label.name << ": " << label.bytes << " bytes\n";
}
// program {
  // clang-format on
  const std::string source = contents("tests/docs/profiling_test.cpp"), marker = "// program {\n";
  const std::size_t begin = source.find("\n" + marker) + 1 + marker.size();
  const std::string program = source.substr(begin, source.find(marker, begin) - begin);
  EXPECT_NE(page.find("```cpp\n" + program + "```\n\n```text\n" + out.str() + "```\n"), page.npos)
      << out.str();
}

}  // namespace
}  // namespace hyperion

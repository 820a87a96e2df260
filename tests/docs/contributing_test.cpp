// Holds CONTRIBUTING.md to its word about adding an op.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/support/source_path.hpp"

namespace hyperion {
namespace {

namespace fs = std::filesystem;
using testing_support::source_path;

std::string contents(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

bool holds_word(const std::string& text, const std::string& word) {
  const auto is_part = [&](std::size_t at) {
    return at < text.size() && (std::isalnum(static_cast<unsigned char>(text[at])) != 0);
  };
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if ((at == 0 || !is_part(at - 1)) && !is_part(at + word.size())) return true;
  }
  return false;
}

// Sources of the compiler, tests aside, in which `word` stands.
std::vector<std::string> files_with(const std::string& word,
                                    const std::vector<std::string>& rooms = {
                                        "ir", "passes", "codegen", "runtime", "tools"}) {
  std::vector<std::string> files;
  for (const std::string& room : rooms) {
    for (const auto& entry : fs::recursive_directory_iterator(source_path(room))) {
      const std::string name = entry.path().filename().string();
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".hpp" && extension != ".def") continue;
      if (name.ends_with("_test.cpp") || !holds_word(contents(entry.path()), word)) continue;
      files.push_back(fs::relative(entry.path(), source_path(".")).string());
    }
  }
  std::ranges::sort(files);
  return files;
}

TEST(Contributing, AnElementwiseOpIsOneFileAndOneLine) {
  if (!fs::exists(source_path("ir"))) GTEST_SKIP() << "the sources are not here";
  EXPECT_EQ(files_with("silu"), (std::vector<std::string>{"ir/ops/ops.def", "ir/ops/silu.cpp"}));
  EXPECT_EQ(files_with("softplus"),
            (std::vector<std::string>{"ir/ops/ops.def", "ir/ops/softplus.cpp"}));
  // One with a formula and a derivative of its own.
  EXPECT_EQ(files_with("erf_inv"),
            (std::vector<std::string>{"ir/ops/erf_inv.cpp", "ir/ops/ops.def"}));
}

// A name for users of the C++ frontend: a declaration, and a line that records the op.
TEST(Contributing, TheFrontendIsTwoLinesMore) {
  if (!fs::exists(source_path("ir"))) GTEST_SKIP() << "the sources are not here";
  EXPECT_EQ(files_with("digamma", {"frontend"}),
            (std::vector<std::string>{"frontend/ops/elementwise.cpp", "frontend/ops/elementwise.hpp"}));
}

TEST(Contributing, ShowsTheFileAsItIs) {
  if (!fs::exists(source_path("ir"))) GTEST_SKIP() << "the sources are not here";
  const std::string file = contents(source_path("ir/ops/silu.cpp"));
  ASSERT_FALSE(file.empty());
  EXPECT_NE(contents(source_path("CONTRIBUTING.md")).find("```cpp\n" + file + "```"),
            std::string::npos);
}

}  // namespace
}  // namespace hyperion

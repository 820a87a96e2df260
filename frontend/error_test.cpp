// The catalogue of the frontend's errors against what its sources raise and its tests expect.
#include "frontend/error.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/source_path.hpp"

namespace hyperion::frontend {
namespace {

// All sources of this room, without the catalogue; tests apart from the rest. An archive of tests comes without sources.
struct Sources {
  std::string library, tests;

  static std::string room() { return testing_support::source_path("frontend"); }
  static bool are_here() { return std::filesystem::exists(room()); }

  Sources() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(room())) {
      if (entry.path().extension() != ".cpp" || entry.path().stem() == "error_test") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const bool is_test = entry.path().string().ends_with("_test.cpp");
      (is_test ? tests : library) += text.str();
    }
  }
};

TEST(ErrorCatalogueTest, ListsWhatIsRaisedAndTested) {
  if (!Sources::are_here()) GTEST_SKIP() << "the sources are not here";
  const Sources sources;
  for (const DiagnosticInfo& info : frontend_diagnostics()) {
    EXPECT_TRUE(sources.library.contains("\"" + std::string(info.id) + "\"")) << info.id << " is never raised";
    EXPECT_TRUE(sources.tests.contains("[" + std::string(info.id) + "]")) << info.id << " has no test";
    EXPECT_FALSE(info.explanation.empty());
  }
}

TEST(ErrorCatalogueTest, EveryRaisedIdIsListed) {
  if (!Sources::are_here()) GTEST_SKIP() << "the sources are not here";
  const Sources sources;
  const std::string call = "raise(";
  for (std::size_t at = sources.library.find(call); at != std::string::npos; at = sources.library.find(call, at + 1)) {
    const std::string_view rest = std::string_view(sources.library).substr(at, 160);
    const std::size_t open = rest.find('"'), end = rest.find(';');
    if (open == std::string_view::npos || end < open) continue;  // raises what the compiler reported
    if (rest.starts_with("raise(Location where, const Status&")) continue;
    const std::string_view id = rest.substr(open + 1, rest.find('"', open + 1) - open - 1);
    const bool is_of_an_op = id.substr(id.find('.') + 1).starts_with("c") && id.starts_with("dot.");
    const auto is_it = [&](const DiagnosticInfo& info) { return info.id == id; };
    EXPECT_TRUE(is_of_an_op || std::ranges::any_of(frontend_diagnostics(), is_it)) << id;
  }
}

}  // namespace
}  // namespace hyperion::frontend

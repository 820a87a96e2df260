// The walk in docs/architecture.md starts from a line of C++ and a dump of what it records, with
// readable names. Here the line is recorded, and must give that func.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "frontend/graph.hpp"
#include "frontend/hyperion.hpp"
#include "ir/text/parse.hpp"
#include "ir/text/print.hpp"
#include "tests/support/source_path.hpp"

namespace hyperion {
namespace {

std::string contents(const std::string& name) {
  std::ifstream file(testing_support::source_path(name));
  return {std::istreambuf_iterator<char>(file), {}};
}

// The block of `page` that opens with this line.
std::string block(const std::string& page, const std::string& opening) {
  const std::size_t begin = page.find(opening + "\n");
  if (begin == std::string::npos) return {};
  const std::size_t text = begin + opening.size() + 1;
  return page.substr(text, page.find("```", text) - text);
}

TEST(Recorded, TheLineOfTheWalkGivesItsFirstDump) {
  using nn::relu;
  const std::string page = contents("docs/architecture.md");
  if (page.empty()) GTEST_SKIP() << "the documents are not here";
  const Tensor x = ones({8, 32}).eval(), w = ones({32, 16}).eval(), b = ones({16}).eval();

  const std::string line = "auto y = relu(matmul(x, w) + b);";
  auto y = relu(matmul(x, w) + b);

  EXPECT_TRUE(block(page, "```cpp").starts_with(line)) << block(page, "```cpp");
  EXPECT_NE(contents("tests/docs/recorded_test.cpp").find("\n  " + line), std::string::npos);
  const frontend::NodeRef parameters[] = {x.ref(), w.ref(), b.ref()}, roots[] = {y.ref()};
  const frontend::BuiltFunction recorded =
      frontend::build_function("line", parameters, roots, 0, {});
  EXPECT_TRUE(recorded.captures.empty());

  Diagnostics diagnostics;
  const auto shown = ir::parse(block(page, "```hir name=line.hir"), "line.hir", diagnostics);
  ASSERT_TRUE(shown) << diagnostics.render();
  const ir::Function& function = *(*shown)->find("line");
  EXPECT_TRUE(ir::structurally_equal(*recorded.function, function))
      << ir::print(*recorded.function, {.locations = false});
}

}  // namespace
}  // namespace hyperion

// The programs of docs/devices.md, word for word, on a GPU made of host memory; they print and throw what the page shows.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "frontend/hyperion.hpp"
#include "tests/support/fake_gpus.hpp"
#include "tests/support/source_path.hpp"

namespace hyperion {
namespace {

std::string contents(const std::string& name) {
  std::ifstream file(testing_support::source_path(name));
  return {std::istreambuf_iterator<char>(file), {}};
}

// What stands between two lines that hold the marker, in this file.
std::string example(const std::string& marker) {
  const std::string source = contents("tests/docs/devices_test.cpp"), line = "// " + marker + "\n";
  const std::size_t begin = source.find("\n" + line) + 1 + line.size();
  return source.substr(begin, source.find(line, begin) - begin);
}

// The blocks of the page, as ```cpp and the ```text that shows what it does.
std::string shown(const std::string& code, const std::string& output) {
  return "```cpp\n" + code + "```\n\n```text\n" + output + "```\n";
}

TEST(Devices, TheProgramsOfThePageDoWhatItShows) {
  const std::string page = contents("docs/devices.md");
  if (page.empty()) GTEST_SKIP() << "the documents are not here";
  const testing_support::ScopedFakeGpus gpus;
  const Device before = default_device();
  std::ostringstream out;
  std::string error;
  // clang-format off
// first {
set_default_device("cuda");                        // or HYPERION_DEVICE=cuda in the environment
const Tensor x = tensor({1.0, 2.0, 3.0});          // data: lives on the GPU
const Tensor y = x * 2.0 + arange(3, DType::f32);  // computed where x is
out << y.device() << " " << y << "\n";             // printing copies it to the host
out << y.to("cpu").device() << "\n";               // a copy on the host, to compute with there
// first {
  try {
// second {
const Tensor here = y.to("cpu");
x + here;                                          // throws
// second {
  } catch (const Error& thrown) {
    const std::string text = thrown.what();
    error = text.substr(text.find("error: ")) + "\n";
  }
  // clang-format on
  set_default_device(before);
  EXPECT_NE(page.find(shown(example("first {"), out.str())), std::string::npos) << out.str();
  EXPECT_NE(page.find(shown(example("second {"), error)), std::string::npos) << error;
}

}  // namespace
}  // namespace hyperion

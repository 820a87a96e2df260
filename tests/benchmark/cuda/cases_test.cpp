// The cases at small sizes, computed on the CPU: what they say of their results is what their programs compute.
#include "tests/benchmark/cuda/cases.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <set>

#include "frontend/engine.hpp"
#include "frontend/hyperion.hpp"
#include "ir/support/file.hpp"
#include "tests/support/source_path.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::benchmark {

// How gtest names a case.
void PrintTo(const Case& c, std::ostream* out) { *out << c.suite << " " << c.name << " " << c.shape << " " << c.dtype; }

namespace {

Tensor noise_of(const Input& input, int number) {
  const Tensor start = from_vector(std::vector<std::uint32_t>{noise_start(number, 0)}, {1});
  return noise_program(input, start, input.size()).reshape(input.shape);
}

TEST(GpuNoise, HostKnowsEveryElement) {
  constexpr std::int64_t kOffset = 1000, kCount = 300;
  const Input inputs[] = {{{2000}},
                          {{2000}, DType::bf16},
                          {{2000}, DType::f16, Noise::positive},
                          {{2000}, DType::i32, Noise::index, 77},
                          {{2000}, DType::i64, Noise::index, 1000}};
  for (int number = 0; number < 5; ++number) {
    const Input& input = inputs[number];
    const Tensor start = from_vector(std::vector<std::uint32_t>{noise_start(number, kOffset)}, {1});
    const std::vector<double> made = noise_program(input, start, kCount).to_vector<double>();
    for (std::int64_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(made[static_cast<std::size_t>(i)], noise_element(input, number, kOffset + i)) << "input " << number << ", element " << i;
    }
  }
}

TEST(GpuNoise, NormalHasMeanZeroAndDeviationOne) {
  constexpr int kCount = 100'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = noise_element({{kCount}}, 3, i);
    sum += x, squares += x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.02);
}

// The first of each suite, name and dtype: other shapes of it have the same program.
std::vector<Case> checked_cases() {
  std::vector<Case> cases = all_cases(Scale{64});
  std::set<std::string> seen;
  std::erase_if(cases, [&](const Case& c) { return !c.reference || !seen.insert(c.suite + c.name + c.dtype).second; });
  return cases;
}

class GpuCases : public ::testing::TestWithParam<Case> {};

TEST_P(GpuCases, ReferenceIsWhatTheProgramComputes) {
  const Case& c = GetParam();
  const frontend::ScopedEngine uncached({.use_disk_cache = false});
  std::vector<Tensor> inputs;
  for (std::size_t k = 0; k < c.inputs.size(); ++k) inputs.push_back(noise_of(c.inputs[k], static_cast<int>(k)).eval());
  const std::vector<Tensor> outputs = c.program(inputs);
  int compared = 0;
  double tolerances = 0, magnitudes = 0;
  for (std::size_t output = 0; output < outputs.size(); output += std::max<std::size_t>(1, outputs.size() / 8)) {
    const std::vector<double> values = outputs[output].to_vector<double>();
    // A prime step meets every row and column of some hundred elements.
    const std::size_t step = values.size() < 200 ? 1 : 97;
    for (std::size_t i = 0; i < values.size(); i += step) {
      const auto expected = c.reference(static_cast<int>(output), static_cast<std::int64_t>(i));
      if (!expected) break;
      ++compared;
      ASSERT_NEAR(values[i], expected->value, expected->tolerance) << "result " << output << ", element " << i;
      tolerances += expected->tolerance, magnitudes += std::fabs(expected->value);
    }
  }
  EXPECT_GT(compared, 0);
  // And it is a claim: zeros, or a neighbour's result, would be refused.
  EXPECT_LT(tolerances, 0.25 * magnitudes);
}

std::string test_name(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.suite + "_" + info.param.name + "_" + info.param.dtype;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return std::to_string(info.index) + "_" + name;
}

INSTANTIATE_TEST_SUITE_P(All, GpuCases, ::testing::ValuesIn(checked_cases()), test_name);

TEST(GpuCases, AreDistinct) {
  std::set<std::string> keys;
  for (const Case& c : all_cases()) EXPECT_TRUE(keys.insert(c.key()).second) << c.key();
}

TEST(GpuCases, HavePeers) {
  if (std::system("python3 -c '' 2> /dev/null") != 0) GTEST_SKIP() << "there is no python3 here";
  const testing_support::TempFolder folder;
  std::string lines;
  for (const Case& c : all_cases()) {
    if (c.has_peers) lines += c.key() + "\t" + std::string(clock_name(c.clock)) + "\n";
  }
  ASSERT_TRUE(write_file_atomically(folder.path("cases"), std::as_bytes(std::span(lines))));
  const std::string command = "python3 " + testing_support::source_path("tests/benchmark/cuda/peers.py") + " --check < " + folder.path("cases");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(GpuCases, FiguresFollowFromSeconds) {
  EXPECT_DOUBLE_EQ((Case{.unit = "TB/s", .work = 4e12}.figure(2)), 2);
  EXPECT_DOUBLE_EQ((Case{.unit = "us"}.figure(2e-6)), 2);
  EXPECT_DOUBLE_EQ((Case{.unit = "ms"}.figure(2e-3)), 2);
}

}  // namespace
}  // namespace hyperion::benchmark

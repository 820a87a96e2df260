// Random programs on the GPU, fused, against the interpreter: its bits where sums keep its order. Skipped without a
// GPU. HYPERION_RANDOM_PROGRAMS sets how many (1,000 unless told).
#include <gtest/gtest.h>

#include "ir/text/print.hpp"
#include "tests/cuda/cuda_testing.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_program.hpp"

namespace hyperion {
namespace {

using testing_support::gpu;

constexpr int kShards = 12;

class CudaPrograms : public ::testing::TestWithParam<int> {};

TEST_P(CudaPrograms, MatchInterpreter) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  for (int seed = 1 + GetParam(); seed <= testing_support::program_count(); seed += kShards) {
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    ir::Module module("programs");
    testing_support::RandomProgram(module, "f", random());
    const auto arguments = testing_support::random_arguments(*module.find("f"), random(), -2, 2);
    const auto expected = testing_support::run(module, "f", arguments);
    const codegen::DriverOptions options{.target = testing_support::cuda_target(/*bitwise=*/true)};
    const auto actual = codegen::run_compiled(module, "f", arguments, options, *gpu());
    ASSERT_TRUE(actual) << "seed " << seed << ": " << actual.error().text() << "\n" << ir::print(module);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      ASSERT_EQ(testing_support::difference(expected[k], (*actual)[k]), "")
          << "seed " << seed << ", result " << k << "\n"
          << ir::print(module);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, CudaPrograms, ::testing::Range(0, kShards));

}  // namespace
}  // namespace hyperion

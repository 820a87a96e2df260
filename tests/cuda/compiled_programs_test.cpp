// Random programs on the GPU, fused, against the interpreter: its bits where sums keep its order. Compiled only without a
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
  // Without a GPU a tenth of them are compiled, where that is possible.
  const bool is_run = gpu() != nullptr;
  if (!is_run && !testing_support::has_nvrtc()) GTEST_SKIP() << "there is neither a GPU nor NVRTC here";
  for (int seed = 1 + GetParam(); seed <= testing_support::program_count(); seed += kShards) {
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    ir::Module module("programs");
    testing_support::RandomProgram(module, "f", random());
    const auto arguments = testing_support::random_arguments(*module.find("f"), random(), -2, 2);
    if (!is_run) {
      if (seed / kShards % 10 != 0) continue;
      const auto compiled = codegen::compile(module, "f", {.target = testing_support::cuda_target(/*bitwise=*/false)});
      ASSERT_TRUE(compiled) << "seed " << seed << ": " << compiled.error().text() << "\n" << ir::print(module);
      continue;
    }
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

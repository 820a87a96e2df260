// Random programs, compiled with and without fusion, and with values computed again: every result is the interpreter's,
// bit for bit (all NaNs are one). HYPERION_RANDOM_PROGRAMS sets how many (1,000 unless told).
#include <gtest/gtest.h>

#include "codegen/driver/run.hpp"
#include "ir/text/print.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_program.hpp"

namespace hyperion {
namespace {

using testing_support::program_count;
using testing_support::random_arguments;
using testing_support::RandomProgram;

// The test is cut in pieces that ctest runs side by side.
constexpr int kShards = 4;

class CompiledPrograms : public ::testing::TestWithParam<int> {};

const passes::FuseOptions kFused, kAgain{.recompute_bytes = 0}, kAlone{.enabled = false};

void expect_same_bits(int seed, const passes::FuseOptions& fusion) {
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  ir::Module module("programs");
  RandomProgram(module, "f", random());
  const auto arguments = random_arguments(*module.find("f"), random(), -2, 2);
  const auto expected = testing_support::run(module, "f", arguments);
  codegen::DriverOptions options;
  options.fusion = fusion;
  const auto actual = codegen::run_compiled(module, "f", arguments, options, 2);
  ASSERT_TRUE(actual) << "seed " << seed << ": " << actual.error().text() << "\n" << ir::print(module);
  ASSERT_EQ(actual->size(), expected.size());
  for (std::size_t k = 0; k < expected.size(); ++k) {
    EXPECT_EQ(testing_support::difference(expected[k], (*actual)[k]), "")
        << "seed " << seed
        << (!fusion.enabled              ? ", unfused"
            : fusion.recompute_bytes > 0 ? ", fused"
                                         : ", computing again")
        << ", result " << k << "\n"
        << ir::print(module);
  }
}

TEST_P(CompiledPrograms, MatchInterpreter) {
  for (int seed = 1 + GetParam(); seed <= program_count(); seed += kShards) {
    expect_same_bits(seed, kFused);
    if (seed % 5 == 3) expect_same_bits(seed, kAgain);
    // Unfused, every op is a kernel: slower to compile, and alike from program to program.
    if (seed % 5 < 2) expect_same_bits(seed, kAlone);
    if (HasFailure()) return;
  }
}

// A kernel for the elements of an empty tensor runs not at all; what is reduced from one is written all the same.
TEST(CompiledEmpty, ReductionsOfNothingAreWritten) {
  const auto module = testing_support::module_of(R"(
    func @f(%x: u8[3, 0, 2], %y: f32[0]) -> u8[3], u8[3, 0, 2], f32[], f32[0] {
      %0 = max %x, %x
      %1 = reduce %0 {axes = [1, 2], kind = "min", order = "lanes"}
      %2 = mul %y, %y
      %3 = reduce %2 {axes = [0], kind = "max", order = "lanes"}
      return %1, %0, %3, %2
    })");
  std::mt19937_64 random(1);
  const auto arguments = random_arguments(*module->find("f"), random(), -2, 2);
  const auto expected = testing_support::run(*module, "f", arguments);
  const auto actual = codegen::run_compiled(*module, "f", arguments, {}, 1);
  ASSERT_TRUE(actual) << actual.error().text();
  for (std::size_t k = 0; k < expected.size(); ++k) {
    EXPECT_EQ(testing_support::difference(expected[k], (*actual)[k]), "") << "result " << k;
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, CompiledPrograms, ::testing::Range(0, kShards));

}  // namespace
}  // namespace hyperion

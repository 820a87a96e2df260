// Every op on every element type as CUDA kernels, in the order of the interpreter's sums: its bits, on the samples that
// the CPU's code is tested with. Without a GPU the kernels are verified, printed, and compiled if there is an NVRTC.
#include <gtest/gtest.h>

#include "ir/builder.hpp"
#include "ir/interpreter.hpp"
#include "ir/text/print.hpp"
#include "tests/cuda/cuda_testing.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/sample_program.hpp"

namespace hyperion {
namespace {

using testing_support::expect_code;
using testing_support::gpu;
using testing_support::op_samples;
using testing_support::OpSample;
using testing_support::SampleProgram;
using testing_support::Values;

class CudaOps : public ::testing::TestWithParam<DType> {};

void compare(const ir::OpDefinition& op, const std::vector<OpSample>& samples) {
  const SampleProgram program(op, samples);
  const codegen::DriverOptions options{.target = testing_support::cuda_target(/*bitwise=*/true)};
  if (gpu() == nullptr) return expect_code(program.module(), options);
  const auto expected = ir::interpret(program.module(), program.function(), program.arguments());
  ASSERT_TRUE(expected) << expected.error().text();
  const auto actual = codegen::run_compiled(program.module(), "samples", program.arguments(), options, *gpu());
  ASSERT_TRUE(actual) << actual.error().text() << "\n" << ir::print(program.function());
  for (std::size_t k = 0; k < expected->size(); ++k) {
    EXPECT_EQ(testing_support::difference((*expected)[k], (*actual)[k]), "") << samples[program.owners()[k]].text();
  }
}

TEST_P(CudaOps, MatchInterpreter) {
  for (const ir::OpDefinition* op : testing_support::sampled_ops()) {
    for (const Values values : {Values::ordinary, Values::special}) {
      // Other values make other results, not other kernels.
      if (gpu() == nullptr && values == Values::special) continue;
      // Samples that call functions each bring their own module, so they are compiled one by one.
      const std::vector<OpSample> samples =
          op_samples(*op, {.dtype = GetParam(), .values = values, .seed = 11, .count = 3});
      if (samples.empty()) continue;
      SCOPED_TRACE(std::string(op->name));
      if (samples[0].module == nullptr) {
        compare(*op, samples);
        continue;
      }
      for (const OpSample& sample : samples) compare(*op, {sample});
    }
  }
}

// Older GPUs have fewer instructions; what they run is compiled, in both orders of sums.
class CudaOpsOnOlderGpus : public ::testing::TestWithParam<std::tuple<const char*, DType>> {};

TEST_P(CudaOpsOnOlderGpus, Compile) {
  if (!testing_support::has_nvrtc()) GTEST_SKIP() << "there is no NVRTC here";
  codegen::CudaTarget target = *codegen::cuda_target(std::get<0>(GetParam()));
  for (const ir::OpDefinition* op : testing_support::sampled_ops()) {
    const auto samples =
        op_samples(*op, {.dtype = std::get<1>(GetParam()), .values = Values::ordinary, .seed = 12, .count = 2});
    if (samples.empty()) continue;
    SCOPED_TRACE(std::string(op->name));
    target.bitwise = !target.bitwise;
    if (samples[0].module == nullptr) expect_code(SampleProgram(*op, samples).module(), {.target = target});
  }
}

INSTANTIATE_TEST_SUITE_P(SomeTypes, CudaOpsOnOlderGpus,
                         ::testing::Combine(::testing::Values("sm_75", "sm_80"),
                                            ::testing::Values(DType::f32, DType::bf16, DType::i32)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param)) + "_" +
                                  std::string(dtype_name(std::get<1>(info.param)));
                         });

INSTANTIATE_TEST_SUITE_P(AllTypes, CudaOps,
                         ::testing::Values(DType::f64, DType::f32, DType::f16, DType::bf16, DType::f8e4m3,
                                           DType::f8e5m2, DType::i64, DType::i32, DType::i16, DType::i8, DType::u64,
                                           DType::u32, DType::u16, DType::u8, DType::bool_),
                         [](const auto& info) { return std::string(dtype_name(info.param)); });

// x > -0.0 ? x : -0.0 is -0.0 for x = 0. NVRTC makes a maximum of it, which is 0, unless it cannot see the constant.
TEST(CudaText, ZerosThatASelectMayGiveAreHidden) {
  ir::Module module("zeros");
  ir::Builder b(module.add("f"), &module);
  const ir::Value x = b.parameter(Type(DType::f32, {Dim(64)})), zero = b.constant(x.type(), -0.0);
  b.return_values(std::vector{b.select(b.compare(x, zero, "gt"), x, zero)});
  std::string source;
  codegen::StageListener listener{.wants_code = false};
  listener.text = [&](codegen::Stage, const std::string& text) { source = text; };
  ASSERT_TRUE(codegen::compile(module, "f", {.target = *codegen::cuda_target("sm_90a")}, listener));
  EXPECT_NE(source.find(": unknown(-0.0f)"), std::string::npos);
}

}  // namespace
}  // namespace hyperion

// Every op on every element type: compiled code against the interpreter, bit for bit (all NaNs are one value), on random
// shapes (odd, empty, rank 0 to 5), ordinary and special values. The samples of one op and type form one function.
#include <gtest/gtest.h>

#include "codegen/driver/compile.hpp"
#include "codegen/driver/run.hpp"
#include "ir/interpreter.hpp"
#include "ir/text/print.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_samples.hpp"
#include "tests/support/sample_program.hpp"

namespace hyperion {
namespace {

using testing_support::op_samples;
using testing_support::OpSample;
using testing_support::Values;

class CompiledOps : public ::testing::TestWithParam<DType> {};
class CompiledOpsOnAvx2 : public CompiledOps {};

// What the compiler lowers ops to passes the verifier, bounds included.
void expect_sound_kernels(const ir::Module& module, const codegen::DriverOptions& options) {
  codegen::StageListener listener;
  listener.module = [&](codegen::Stage stage, const ir::Module& shown) {
    Diagnostics defects;
    if (stage == codegen::Stage::kernels) {
      EXPECT_TRUE(ir::verify(shown, defects)) << defects.render();
    }
  };
  const std::unique_ptr<ir::Module> copy = module.clone();
  EXPECT_TRUE(codegen::compile(*copy, "samples", options, listener));
}

void compare(const ir::OpDefinition& op, const std::vector<OpSample>& samples,
             const codegen::CpuTarget& target) {
  const testing_support::SampleProgram program(op, samples);
  const ir::Module& module = program.module();
  const auto expected = ir::interpret(module, program.function(), program.arguments());
  ASSERT_TRUE(expected) << expected.error().text();
  const codegen::DriverOptions options{.target = target};
  if (&target == &codegen::host_target()) expect_sound_kernels(module, options);
  const auto actual = codegen::run_compiled(module, program.function().name, program.arguments(), options, 2);
  ASSERT_TRUE(actual) << actual.error().text() << "\n" << ir::print(program.function());
  std::size_t next = 0;
  for (const OpSample& sample : samples) {
    for (std::size_t k = 0; k < sample.results.size(); ++k, ++next) {
      EXPECT_EQ(testing_support::difference((*expected)[next], (*actual)[next]), "") << sample.text();
    }
  }
}

void compare_all(DType dtype, const codegen::CpuTarget& target) {
  for (const ir::OpDefinition* op : testing_support::sampled_ops()) {
    for (const Values values : {Values::ordinary, Values::special}) {
      // Samples that call functions each bring their own module, so they are compiled one by one.
      const std::vector<OpSample> samples = op_samples(*op, {.dtype = dtype, .values = values, .seed = 11, .count = 3});
      if (samples.empty()) continue;
      SCOPED_TRACE(std::string(op->name));
      if (samples[0].module == nullptr) {
        compare(*op, samples, target);
        continue;
      }
      for (const OpSample& sample : samples) compare(*op, {sample}, target);
    }
  }
}

TEST_P(CompiledOps, MatchInterpreter) { compare_all(GetParam(), codegen::host_target()); }

// Vectors of half the length and no masks, on machines that have more.
TEST_P(CompiledOpsOnAvx2, MatchInterpreter) {
  const codegen::CpuTarget target = *codegen::named_target("x86-64-v3");
  if (!codegen::runs_here(target)) GTEST_SKIP() << "this machine does not run code for " << target.cpu;
  compare_all(GetParam(), target);
}

INSTANTIATE_TEST_SUITE_P(SomeTypes, CompiledOpsOnAvx2,
                         ::testing::Values(DType::f64, DType::f32, DType::bf16, DType::i64, DType::i8, DType::bool_),
                         [](const auto& info) { return std::string(dtype_name(info.param)); });

INSTANTIATE_TEST_SUITE_P(AllTypes, CompiledOps,
                         ::testing::Values(DType::f64, DType::f32, DType::f16, DType::bf16, DType::f8e4m3,
                                           DType::f8e5m2, DType::i64, DType::i32, DType::i16, DType::i8, DType::u64,
                                           DType::u32, DType::u16, DType::u8, DType::bool_),
                         [](const auto& info) { return std::string(dtype_name(info.param)); });

}  // namespace
}  // namespace hyperion

// A profile of a real GPU: its kernels, at the times when they ran, beside the ceilings that it has. Prints the table.
// Skipped without a GPU; runtime/cuda/device_test.cpp plays it on a fake one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "codegen/driver/ceilings.hpp"
#include "ir/text/parse.hpp"
#include "runtime/executor.hpp"
#include "runtime/trace_writer.hpp"
#include "tests/cuda/cuda_testing.hpp"

namespace hyperion {
namespace {

using testing_support::gpu;

constexpr const char* kProgram = R"(hyperion 1
module @m {
  func @f(%x: bf16[4096, 4096]) -> bf16[4096, 4096] {
    %0 = dot %x, %x {lhs_contract = [1], rhs_contract = [0]} loc("profile.cpp":3:7)
    %1 = softmax %0 {axis = 1} loc("profile.cpp":4:7)
    return %1
  }
}
)";

runtime::BufferView operand() {
  const Type type(DType::bf16, {Dim(4096), Dim(4096)});
  std::vector<std::byte> bytes(type.bytes());
  for (std::size_t k = 0; k < bytes.size(); k += 2) {
    element_from_double(DType::bf16, std::sin(0.7 * static_cast<double>(k)), bytes.data() + k);
  }
  return *runtime::BufferView::from_host(gpu()->device, DType::bf16, type.sizes(), bytes);
}

StatusOr<std::unique_ptr<runtime::Executor>> load() {
  Diagnostics diagnostics;
  const auto module = ir::parse(kProgram, "profile.hir", diagnostics);
  EXPECT_TRUE(module) << diagnostics.render();
  HYP_TRY(runtime::Module compiled, codegen::compile(**module, "f", {.target = testing_support::cuda_target(false)}));
  HYP_TRY(const auto cluster, runtime::DeviceCluster::create(gpu()->instance, std::span(&gpu()->device, 1)));
  return runtime::Executor::create(cluster, {std::make_shared<const runtime::Module>(std::move(compiled))});
}

TEST(CudaProfile, KernelsAreWhereTheyRan) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  const auto executor = load();
  ASSERT_TRUE(executor) << executor.error().text();
  const std::vector<runtime::BufferView> arguments = {operand()};
  runtime::Profiler& profiler = gpu()->instance->profiler();
  profiler.reset();
  // The first run launches, the others are graphs.
  constexpr int kRuns = 10;
  std::vector<runtime::BufferView> outputs;
  profiler.start_capture();
  const runtime::Ticks begin = runtime::now_ticks();
  for (int k = 0; k < kRuns; ++k) {
    outputs.clear();
    const auto run = (*executor)->execute_now(*(*executor)->find("f"), arguments, outputs);
    ASSERT_TRUE(run) << run.error().text();
  }
  const runtime::Ticks end = runtime::now_ticks();
  const runtime::Capture capture = profiler.stop_capture();
  std::vector<runtime::ProfileRecord> kernels;
  for (const runtime::ProfileRecord& record : capture.records) {
    if (record.label->info().category != "launch") continue;
    kernels.push_back(record);
    EXPECT_EQ(capture.tracks.at(record.track), gpu()->device.name());
  }
  std::ranges::sort(kernels, {}, &runtime::ProfileRecord::start);
  ASSERT_EQ(kernels.size() % kRuns, 0u);
  ASSERT_GE(kernels.size(), 2u * kRuns);
  // Two clocks meet to within some microseconds.
  const auto slack = static_cast<runtime::Ticks>(100e-6 / runtime::seconds_per_tick());
  EXPECT_GE(kernels.front().start + slack, begin);
  EXPECT_LE(kernels.back().end, end + slack);
  for (std::size_t k = 0; k < kernels.size(); ++k) {
    EXPECT_LT(kernels[k].start, kernels[k].end);
    if (k > 0) {
      EXPECT_LE(kernels[k - 1].end, kernels[k].start + slack);
    }
    EXPECT_TRUE(kernels[k].label->title().find(" at profile.cpp:") != std::string::npos) << kernels[k].label->title();
  }

  std::set<runtime::ArithmeticUnit> units;
  const std::vector<runtime::LabelTotal> totals = profiler.totals();
  for (const runtime::LabelTotal& total : totals) units.insert(total.label.unit);
  const auto ceilings = codegen::measure_ceilings(*gpu(), units);
  ASSERT_TRUE(ceilings) << ceilings.error().text();
  for (const runtime::ArithmeticUnit unit : units) EXPECT_GT(ceilings->of(unit), 0) << runtime::unit_name(unit);
  EXPECT_GT(ceilings->bytes_per_second, 0);
  std::fputs(runtime::roofline_table(totals, "launch", *ceilings).c_str(), stdout);
}

}  // namespace
}  // namespace hyperion

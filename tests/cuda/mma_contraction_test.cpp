// Products by mma.sync and cp.async: their programs under the verifier, sound and with a fault put in; their code
// through NVRTC for every GPU that runs them; and on a GPU their numbers, wherever lines begin, against sums in f64.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "ir/support/format.hpp"
#include "tests/cuda/product_testing.hpp"

namespace hyperion {
namespace {

using codegen::TensorEngine;
using testing_support::AsyncKind;
using testing_support::AsyncProgram;
using testing_support::AsyncStatement;
using testing_support::erase;
using testing_support::expect_product;
using testing_support::find;
using testing_support::gpu;
using testing_support::problem;
using testing_support::product;
using testing_support::Shape;
using testing_support::TensorProblem;
using testing_support::TensorSchedule;

// ---- programs -------------------------------------------------------------------------------------------------

TEST(MmaProgram, EveryScheduleIsSound) {
  for (const char* architecture : {"sm_80", "sm_86", "sm_90a"}) {
    const codegen::CudaTarget target = *codegen::cuda_target(architecture);
    for (const std::int64_t depth : {4096, 4095}) {  // copied, fetched
      for (const DType dtype : {DType::bf16, DType::f32}) {
        const TensorProblem p = problem(dtype, 4096, 4096, depth, true, false);
        const std::vector<TensorSchedule> schedules = tensor_schedules(p, target, TensorEngine::mma);
        EXPECT_GE(schedules.size(), 4u);
        for (const TensorSchedule& schedule : schedules) {
          EXPECT_EQ(verify(tensor_program(p, schedule), target.block_shared_bytes, 8), std::vector<std::string>{})
              << schedule.text();
        }
      }
    }
  }
}

struct Fault {
  const char* name;
  std::function<void(AsyncProgram&)> put;
  bool only_fetched = false;
};

TEST(MmaProgram, FaultsAreFound) {
  const auto body = [](AsyncProgram& p) -> std::vector<AsyncStatement>& { return p.roles[0].body; };
  const auto loop = [&](AsyncProgram& p) -> std::vector<AsyncStatement>& {
    return find(body(p), AsyncKind::for_depth)->body;
  };
  // Puts the first statement of a kind behind the next one.
  const auto swap_with_next = [](std::vector<AsyncStatement>& list, AsyncKind kind) {
    const auto at = std::ranges::find(list, kind, &AsyncStatement::kind);
    std::iter_swap(at, at + 1);
  };
  const auto is_meet = [](const AsyncStatement& statement) { return statement.kind == AsyncKind::meet; };
  const std::vector<Fault> faults = {
      {"copies are not waited for", [&](auto& p) { erase(loop(p), AsyncKind::wait_copies); }},
      {"one group too many may be under way", [&](auto& p) { ++find(loop(p), AsyncKind::wait_copies)->pending; }},
      {"the copies of a step are no group", [&](auto& p) { erase(loop(p), AsyncKind::commit_copies); }},
      {"the first group is missing", [&](auto& p) { erase(body(p), AsyncKind::commit_copies); }},
      {"members do not meet before products", [&](auto& p) { erase(loop(p), AsyncKind::meet); }},
      {"members meet before they have waited", [&](auto& p) { swap_with_next(loop(p), AsyncKind::wait_copies); }},
      {"members meet after they have copied", [&](auto& p) { swap_with_next(loop(p), AsyncKind::meet); }},
      {"members wait and meet after products", [&](auto& p) { std::ranges::rotate(loop(p), loop(p).begin() + 2); }},
      {"members do not meet before the epilogue", [&](auto& p) { std::erase_if(body(p), is_meet); }},
      {"a copy of the first step is missing", [&](auto& p) { erase(body(p), AsyncKind::copy); }},
      {"a copy is missing", [&](auto& p) { erase(loop(p), AsyncKind::copy); }},
      {"an operand is copied twice", [&](auto& p) { find(loop(p), AsyncKind::copy, 1)->operand = 0; }},
      {"a copy overwrites the current stage", [&](auto& p) { ++find(loop(p), AsyncKind::copy)->ahead; }},
      {"a copy is of the wrong step", [&](auto& p) { --find(loop(p), AsyncKind::copy)->ahead; }},
      {"two copies at first go to one stage", [&](auto& p) { find(body(p), AsyncKind::copy, 2)->ahead = 0; }},
      {"the cursor stands still", [&](auto& p) { erase(loop(p), AsyncKind::advance); }},
      {"the cursor advances before products", [&](auto& p) { swap_with_next(loop(p), AsyncKind::multiply); }},
      {"steps are not multiplied", [&](auto& p) { erase(loop(p), AsyncKind::multiply); }},
      {"what is fetched is not kept", [&](auto& p) { erase(loop(p), AsyncKind::keep); }, true},
      {"what is kept was not fetched", [&](auto& p) { erase(loop(p), AsyncKind::fetch); }, true},
      {"another step is kept than was fetched", [&](auto& p) { ++find(loop(p), AsyncKind::fetch)->ahead; }, true},
      {"what is kept overwrites the current stage",
       [&](auto& p) { ++find(loop(p), AsyncKind::fetch)->ahead, ++find(loop(p), AsyncKind::keep)->ahead; }, true},
      {"members do not meet after they have kept", [&](auto& p) { erase(loop(p), AsyncKind::meet); }, true},
      {"the ring does not fit", [&](auto& p) { p.shared_bytes = 1 << 20; }},
      {"the ring is larger than its memory", [&](auto& p) { p.shared_bytes = 1024; }},
      {"registers are over-committed", [&](auto& p) { p.blocks = 4; }},
      {"a warp is missing", [&](auto& p) { --p.roles[0].members; }},
      {"threads do not add up", [&](auto& p) { p.threads = 512; }},
  };
  constexpr TensorEngine kMma = TensorEngine::mma;
  const TensorSchedule schedule{
      .engine = kMma, .rows = 128, .columns = 128, .stages = 4, .warp_rows = 64, .warp_columns = 64};
  const TensorSchedule narrow{
      .engine = kMma, .rows = 128, .columns = 64, .stages = 3, .warp_rows = 64, .warp_columns = 32};
  const AsyncProgram copied = tensor_program(problem(DType::bf16, 4096, 4096, 4096, true, true), schedule);
  const AsyncProgram fetched = tensor_program(problem(DType::bf16, 4096, 4096, 4095, true, true), narrow);
  constexpr int kShared = 163 << 10;
  EXPECT_EQ(verify(copied, kShared), std::vector<std::string>{});
  EXPECT_EQ(verify(fetched, kShared), std::vector<std::string>{});
  for (const Fault& fault : faults) {
    AsyncProgram program = fault.only_fetched ? fetched : copied;
    fault.put(program);
    EXPECT_FALSE(verify(program, kShared).empty()) << fault.name;
  }
}

// ---- which engine ---------------------------------------------------------------------------------------------

TEST(TensorEngine, WgmmaWhereItReadsTheOperands) {
  const auto engine = [](const char* architecture, const TensorProblem& p) {
    return tensor_schedules(p, *codegen::cuda_target(architecture)).front().engine;
  };
  EXPECT_EQ(engine("sm_90a", problem(DType::bf16, 512, 512, 512, true, false)), TensorEngine::wgmma);
  EXPECT_EQ(engine("sm_90a", problem(DType::bf16, 512, 512, 516, true, true)), TensorEngine::mma);   // lines of 8 bytes
  EXPECT_EQ(engine("sm_90a", problem(DType::bf16, 512, 511, 512, true, false)), TensorEngine::mma);  // and of 2
  EXPECT_EQ(engine("sm_90a", problem(DType::f32, 512, 512, 512, true, false)), TensorEngine::mma);
  EXPECT_EQ(engine("sm_90", problem(DType::bf16, 512, 512, 512, true, false)), TensorEngine::mma);
  EXPECT_EQ(engine("sm_80", problem(DType::f16, 512, 512, 512, false, false)), TensorEngine::mma);
  TensorProblem exact = problem(DType::f32, 512, 512, 512, true, true);
  exact.may_round = false;
  EXPECT_FALSE(fits_tensor_cores(exact, *codegen::cuda_target("sm_80")));
  EXPECT_FALSE(fits_tensor_cores(problem(DType::f16, 512, 512, 512, true, true), *codegen::cuda_target("sm_75")));
}

// ---- code -----------------------------------------------------------------------------------------------------

void expect_code(const char* architecture, DType dtype, const Shape& s, bool lhs_along_depth, bool rhs_along_depth) {
  codegen::CudaTarget target = *codegen::cuda_target(architecture);
  target.tf32 = true;
  const auto module = product(dtype, s.rows, s.columns, s.depth, lhs_along_depth, rhs_along_depth, s.batches, true);
  std::string source;
  codegen::StageListener listener{.wants_code = false};
  listener.text = [&](codegen::Stage, const std::string& text) { source = text; };
  ASSERT_TRUE(codegen::compile(*module, "f", {.target = target}, listener));
  ASSERT_NE(source.find("multiply_stage"), std::string::npos) << architecture << " " << dtype_name(dtype);
  testing_support::expect_clean_code(source, architecture, format("{} {}", architecture, dtype_name(dtype)));
}

class MmaCode : public ::testing::TestWithParam<const char*> {};

// Lines begin at multiples of 8, 8, 4 and 2 bytes: on sm_90a TMA reads none of them.
TEST_P(MmaCode, CompilesWithoutSpills) {
  if (!testing_support::has_nvrtc()) GTEST_SKIP() << "there is no NVRTC here";
  // None is so large that it would be padded for wgmma.
  expect_code(GetParam(), DType::bf16, {256, 512, 516, 1}, true, true);
  expect_code(GetParam(), DType::f16, {512, 252, 512, 1}, false, false);
  expect_code(GetParam(), DType::f32, {1001, 1001, 513, 3}, true, false);
  expect_code(GetParam(), DType::bf16, {1001, 1001, 515, 1}, false, true);
  expect_code(GetParam(), DType::bf16, {100, 100, 20001, 1}, true, true);
}

INSTANTIATE_TEST_SUITE_P(Architectures, MmaCode, ::testing::Values("sm_80", "sm_86", "sm_89", "sm_90", "sm_90a"),
                         [](const auto& info) { return std::string(info.param); });

// ---- numbers --------------------------------------------------------------------------------------------------

using LayoutOfType = std::tuple<DType, bool, bool>;
class MmaNumbers : public ::testing::TestWithParam<LayoutOfType> {};

// As a GPU without wgmma would make them.
std::vector<TensorSchedule> mma_schedules(DType dtype, const Shape& s, bool lhs_along_depth, bool rhs_along_depth) {
  const TensorProblem p = problem(dtype, s.rows, s.columns, s.depth, lhs_along_depth, rhs_along_depth, s.batches);
  return tensor_schedules(p, testing_support::cuda_target(false), TensorEngine::mma);
}

TEST_P(MmaNumbers, RaggedUnalignedAndBatched) {
  if (gpu() == nullptr || !testing_support::cuda_target(false).has_mma()) GTEST_SKIP() << "there is no such GPU here";
  const auto [dtype, lhs, rhs] = GetParam();
  // Lines of multiples of 16, 8, 4 and 2 bytes; less than a tile, a tile, several; less than a step of depth, and many.
  const Shape shapes[] = {{128, 128, 64, 1}, {512, 512, 512, 1}, {1000, 776, 328, 1},  {136, 264, 72, 3},
                          {68, 132, 44, 2},  {130, 70, 98, 1},   {129, 131, 67, 3},    {1, 64, 64, 1},
                          {7, 5, 3, 1},      {1, 1, 1, 1},       {1001, 1003, 257, 1}, {16, 4095, 96, 1},
                          {33, 65, 20001, 1}};
  for (const Shape& shape : shapes) {
    expect_product(dtype, shape, lhs, rhs, shape.rows % 2 == 0, mma_schedules(dtype, shape, lhs, rhs).front(), false);
    if (HasFailure()) return;
  }
}

class MmaSchedules : public MmaNumbers {};

TEST_P(MmaSchedules, AllGiveTheProduct) {
  if (gpu() == nullptr || !testing_support::cuda_target(false).has_mma()) GTEST_SKIP() << "there is no such GPU here";
  const auto [dtype, lhs, rhs] = GetParam();
  // Copied, fetched; some of the last in parts of depth.
  for (const Shape& shape : {Shape{520, 776, 328, 1}, Shape{261, 259, 1027, 1}}) {
    for (const TensorSchedule& schedule : mma_schedules(dtype, shape, lhs, rhs)) {
      expect_product(dtype, shape, lhs, rhs, true, schedule, false);
      if (HasFailure()) return;
    }
  }
}

std::string layout_name(const ::testing::TestParamInfo<LayoutOfType>& info) {
  const auto [dtype, lhs, rhs] = info.param;
  return std::string(dtype_name(dtype)) + "_" + (lhs ? "N" : "T") + (rhs ? "T" : "N");
}

INSTANTIATE_TEST_SUITE_P(TypesAndLayouts, MmaNumbers,
                         ::testing::Combine(::testing::Values(DType::bf16, DType::f16, DType::f32), ::testing::Bool(),
                                            ::testing::Bool()),
                         layout_name);
// f16 is cut into tiles as bf16 is.
INSTANTIATE_TEST_SUITE_P(TypesAndLayouts, MmaSchedules,
                         ::testing::Combine(::testing::Values(DType::bf16, DType::f32), ::testing::Bool(),
                                            ::testing::Bool()),
                         layout_name);

}  // namespace
}  // namespace hyperion

// Products on the tensor cores: their asynchronous programs under the verifier, sound and with a fault put in; their
// code through NVRTC; and on a GPU their numbers, in all layouts and ragged sizes, against sums in f64.
#include <gtest/gtest.h>

#include <functional>

#include "tests/cuda/product_testing.hpp"

namespace hyperion {
namespace {

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

constexpr int kSharedLimit = 232448;

// ---- programs -------------------------------------------------------------------------------------------------

TEST(AsyncProgram, EveryScheduleIsSound) {
  for (const bool lhs : {true, false}) {
    for (const bool rhs : {true, false}) {
      const TensorProblem p = problem(DType::bf16, 4096, 4096, 4096, lhs, rhs);
      for (const TensorSchedule& schedule : codegen::tensor_schedules(p, *codegen::cuda_target("sm_90a"))) {
        for (const bool is_staged : {true, false}) {
          EXPECT_EQ(verify(tensor_program(p, schedule, is_staged), kSharedLimit), std::vector<std::string>{})
              << schedule.text() << (is_staged ? ", staged" : "");
        }
      }
    }
  }
}

struct Fault {
  const char* name;
  std::function<void(AsyncProgram&)> put;
  bool only_turns = false;
};

TEST(AsyncProgram, FaultsAreFound) {
  const auto producer = [](AsyncProgram& p) -> std::vector<AsyncStatement>& { return p.roles[0].body; };
  const auto consumer = [](AsyncProgram& p, std::size_t k = 1) -> std::vector<AsyncStatement>& {
    return p.roles[k].body;
  };
  const std::vector<Fault> faults = {
      {"producer does not wait for an empty stage", [&](auto& p) { erase(producer(p), AsyncKind::wait); }},
      {"producer expects nothing", [&](auto& p) { erase(producer(p), AsyncKind::expect); }},
      {"producer expects too few bytes", [&](auto& p) { find(producer(p), AsyncKind::expect)->bytes -= 1024; }},
      {"producer expects too many bytes", [&](auto& p) { find(producer(p), AsyncKind::expect)->bytes += 1024; }},
      {"a load is missing", [&](auto& p) { erase(producer(p), AsyncKind::load); }},
      {"a load is too short", [&](auto& p) { find(producer(p), AsyncKind::load)->bytes -= 1024; }},
      {"a load counts at the wrong barrier", [&](auto& p) { find(producer(p), AsyncKind::load)->barrier = 1; }},
      {"a shared load is not sent to all", [&](auto& p) { find(producer(p), AsyncKind::load, 1)->multicast = false; }},
      {"an own load is sent to all", [&](auto& p) { find(producer(p), AsyncKind::load)->multicast = true; }},
      {"two loads of one operand", [&](auto& p) { find(producer(p), AsyncKind::load, 1)->operand = 0; }},
      {"producer's cursor stands still", [&](auto& p) { erase(producer(p), AsyncKind::advance); }},
      {"producer starts in the other phase", [&](auto& p) { p.roles[0].starts_free = false; }},
      {"producer leaves early", [&](auto& p) { erase(producer(p), AsyncKind::drain); }},
      {"producer waits for the wrong barrier", [&](auto& p) { find(producer(p), AsyncKind::wait)->barrier = 0; }},
      {"consumer does not wait for a full stage", [&](auto& p) { erase(consumer(p), AsyncKind::wait); }},
      {"consumer waits for the wrong barrier", [&](auto& p) { find(consumer(p), AsyncKind::wait)->barrier = 1; }},
      {"consumer starts in the other phase", [&](auto& p) { p.roles[1].starts_free = true; }},
      {"no fence before products", [&](auto& p) { erase(consumer(p), AsyncKind::fence); }},
      {"products are not committed", [&](auto& p) { erase(consumer(p), AsyncKind::commit); }},
      {"products are not multiplied out",
       [&](auto& p) { find(consumer(p), AsyncKind::wait_multiplies, 1)->pending = 1; }},
      {"a stage is given back while it is read",
       [&](auto& p) { find(consumer(p), AsyncKind::wait_multiplies)->pending = 2; }},
      {"the current stage is given back", [&](auto& p) { find(consumer(p), AsyncKind::arrive)->lag = 0; }},
      {"a stage too far back is given back", [&](auto& p) { find(consumer(p), AsyncKind::arrive)->lag = 2; }},
      {"the last stage is not given back", [&](auto& p) { find(consumer(p), AsyncKind::arrive, 1)->lag = 0; }},
      {"no stage but the last is given back", [&](auto& p) { erase(consumer(p), AsyncKind::after_first); }},
      {"arrives at the wrong barrier", [&](auto& p) { find(consumer(p), AsyncKind::arrive)->barrier = 0; }},
      {"consumer's cursor stands still", [&](auto& p) { erase(consumer(p), AsyncKind::advance); }},
      {"the empty barrier wants too many", [&](auto& p) { ++p.barriers[1].arrivals; }},
      {"the empty barrier wants too few", [&](auto& p) { --p.barriers[1].arrivals; }},
      {"the full barrier wants two", [&](auto& p) { ++p.barriers[0].arrivals; }},
      {"a consumer arrives twice", [&](auto& p) { p.roles[1].arrivals = 2; }},
      {"the ring does not fit", [&](auto& p) { p.shared_bytes = kSharedLimit + 1024; }},
      {"the ring is larger than its memory", [&](auto& p) { p.shared_bytes = 1024; }},
      {"registers are over-committed", [&](auto& p) { p.roles[1].registers = 248, p.roles[2].registers = 248; }},
      {"registers are no multiple of eight", [&](auto& p) { p.roles[0].registers = 44; }},
      {"threads do not add up", [&](auto& p) { p.threads = 512; }},
      {"no turn is taken",
       [&](auto& p) {
         erase(consumer(p, 2), AsyncKind::turn_wait);
         erase(consumer(p, 2), AsyncKind::skip);
       },
       true},
      {"a turn is not passed on", [&](auto& p) { erase(consumer(p), AsyncKind::turn_pass); }, true},
      {"the other's stages are not skipped", [&](auto& p) { erase(consumer(p, 2), AsyncKind::skip); }, true},
      {"both take every tile", [&](auto& p) { p.roles[2].first_tile = 0; }, true},
  };
  const TensorProblem p = problem(DType::bf16, 4096, 4096, 4096, true, true);
  const AsyncProgram together = tensor_program(p, {.rows = 128, .columns = 256, .stages = 4, .cluster = 2});
  const AsyncProgram turns =
      tensor_program(p, {.rows = 128, .columns = 128, .stages = 4, .cluster = 2, .takes_turns = true});
  for (const Fault& fault : faults) {
    AsyncProgram program = fault.only_turns ? turns : together;
    fault.put(program);
    EXPECT_FALSE(verify(program, kSharedLimit).empty()) << fault.name;
  }
  EXPECT_GE(faults.size(), 30u);
}

// Results that leave by way of staging buffers: what a store may still read, and what it may not see yet.
TEST(AsyncProgram, FaultsOfStagingAreFound) {
  using Statements = std::vector<AsyncStatement>;
  const auto swap = [](Statements& body, AsyncKind first, AsyncKind second) {
    std::swap(*find(body, first), *find(body, second));
  };
  const std::vector<Fault> faults = {
      {"no fence between what was staged and its store", [](auto& p) { erase(p.roles[1].body, AsyncKind::publish); }},
      {"the fence is in front of what is staged",
       [&](auto& p) { swap(p.roles[1].body, AsyncKind::stage, AsyncKind::publish); }},
      {"a buffer is used again without a wait", [](auto& p) { erase(p.roles[1].body, AsyncKind::wait_stores); }},
      {"a buffer is used again too early",
       [](auto& p) { find(p.roles[1].body, AsyncKind::wait_stores)->pending = p.staging_buffers; }},
      {"the wait is behind what is staged",
       [&](auto& p) { swap(p.roles[1].body, AsyncKind::wait_stores, AsyncKind::stage); }},
      {"nothing is staged", [](auto& p) { erase(p.roles[1].body, AsyncKind::stage); }},
      {"what was staged is not stored", [](auto& p) { erase(p.roles[1].body, AsyncKind::store); }},
      {"the role ends before its stores", [](auto& p) { p.roles[1].body.pop_back(); }},
      {"there are fewer buffers than it believes", [](auto& p) { --p.staging_buffers; }},
      {"sums are staged while products run",
       [](auto& p) { find(p.roles[1].body, AsyncKind::wait_multiplies, 1)->pending = 1; }},
  };
  const TensorProblem p = problem(DType::bf16, 4096, 4096, 4096, true, true);
  const TensorSchedule schedules[] = {
      {.rows = 128, .columns = 256, .stages = 4, .cluster = 2},                       // two buffers
      {.rows = 128, .columns = 192, .stages = 5, .cluster = 2, .takes_turns = true},  // one
  };
  for (const TensorSchedule& schedule : schedules) {
    for (const Fault& fault : faults) {
      AsyncProgram program = tensor_program(p, schedule, true);
      fault.put(program);
      EXPECT_FALSE(verify(program, kSharedLimit).empty()) << fault.name << ", " << schedule.text();
    }
  }
}

// ---- code and numbers -----------------------------------------------------------------------------------------

TEST(TensorContraction, CompilesWithoutSpillsOrAdvisories) {
  if (!testing_support::has_nvrtc()) GTEST_SKIP() << "there is no NVRTC here";
  const codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  for (const TensorSchedule& schedule : tensor_schedules(problem(DType::bf16, 2048, 2048, 512, true, false), target)) {
    codegen::ScheduleTable pinned;
    pinned.pin(problem(DType::bf16, 2048, 2048, 512, true, false), schedule);
    const auto module = product(DType::bf16, 2048, 2048, 512, true, false, 1, true);
    std::string source;
    codegen::StageListener listener{.wants_code = false};
    listener.text = [&](codegen::Stage, const std::string& text) { source = text; };
    ASSERT_TRUE(codegen::compile(*module, "f", {.target = target, .schedules = &pinned}, listener));
    testing_support::expect_clean_code(source, "sm_90a", schedule.text());
  }
}

TEST(TensorContraction, AllLayoutsAndRaggedSizes) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  const Shape shapes[] = {{128, 256, 64, 1},
                          {8, 8, 8, 1},
                          {1, 64, 64, 1},
                          {136, 264, 72, 1},
                          {512, 512, 512, 1},
                          {1000, 776, 328, 1},
                          {64, 72, 1032, 1},
                          {24, 40, 16, 3},
                          {200, 136, 88, 5},
                          {4096, 16, 128, 1},
                          {16, 4096, 96, 1},
                          {7, 24, 40, 1},
                          // Not for TMA.
                          {129, 131, 67, 3},
                          {516, 132, 260, 1}};
  for (const Shape& shape : shapes) {
    for (const bool lhs : {true, false}) {
      for (const bool rhs : {true, false}) {
        for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
          expect_product(dtype, shape, lhs, rhs, shape.rows % 16 == 8);
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(TensorContraction, EverySchedule) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  for (const bool lhs : {true, false}) {
    for (const bool rhs : {true, false}) {
      const Shape shape{1160, 1032, 520, 1};
      for (const TensorSchedule& schedule :
           tensor_schedules(problem(DType::bf16, shape.rows, shape.columns, shape.depth, lhs, rhs),
                            testing_support::cuda_target(false))) {
        expect_product(DType::bf16, shape, lhs, rhs, true, schedule);
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace hyperion

#include "codegen/driver/tune.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_folder.hpp"

namespace hyperion::codegen {
namespace {

using testing_support::TempFolder;

CudaTarget h200() {
  CudaTarget target = *cuda_target("sm_90a");
  target.device = "NVIDIA H200", target.driver = 13000;
  return target;
}

const TensorProblem kProblem = dense_problem(DType::bf16, "NT", 4096, 4096, 1024);

// A machine on which the model is wrong: the schedule of this number is the fastest, with groups of 16.
constexpr std::size_t kFastest = 3;
double seconds_of(const TensorSchedule& schedule) {
  const auto schedules = tensor_schedules(kProblem, h200());
  for (std::size_t k = 0; k < schedules.size(); ++k) {
    TensorSchedule same = schedule;
    same.group = schedules[k].group;
    if (same == schedules[k])
      return 1e-3 * (k == kFastest ? 1.0 : 2.0 + static_cast<double>(k)) - 1e-6 * schedule.group;
  }
  return 1;
}

struct Counted {
  int count = 0;
  ScheduleTimer timer() {
    return [this](const TensorSchedule& schedule) -> StatusOr<Timing> {
      ++count;
      return Timing{.seconds = seconds_of(schedule), .spread = 1e-6, .runs = 7};
    };
  }
};

class Tune : public ::testing::Test {
 protected:
  Tune() : store_({.folder = folder_.path("cache"), .version = "build 1"}) {}
  StatusOr<TuneResult> run(const TuneOptions& options = {}) {
    return tune(product_subject(kProblem), h200(), counted_.timer(), store_, options);
  }
  std::vector<runtime::TuningRecord> stored() { return store_.measured(problem_class(kProblem), machine_of(h200())); }

  TempFolder folder_;
  runtime::TuningStore store_;
  Counted counted_;
};

TEST_F(Tune, TheFastestIsKeptAndChosen) {
  int done = 0, count = 0;
  const auto result = run({.candidates = 6, .peer_seconds = 2e-3, .progress = [&](const TuneProgress& progress) {
                             EXPECT_EQ(progress.done, ++done);
                             EXPECT_LE(progress.best.seconds, progress.measured.seconds);
                             count = progress.count;
                           }});
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_TRUE(result->is_complete);
  EXPECT_EQ(counted_.count, 8);  // six tiles, and the best one walked in two other orders
  EXPECT_EQ(done, 8);
  EXPECT_EQ(count, 8);
  TensorSchedule fastest = tensor_schedules(kProblem, h200())[kFastest];
  fastest.group = 16;
  EXPECT_EQ(result->measured[0].schedule, fastest.text());
  EXPECT_EQ(result->measured[0].peer_seconds, 2e-3);
  EXPECT_EQ(result->measured[0].runs, 7);
  EXPECT_EQ(stored().size(), 8u);
  ScheduleTable table(
      std::make_shared<runtime::TuningStore>(runtime::TuningStoreOptions{folder_.path("cache"), "build 1"}), {});
  const ChosenSchedule chosen = table.choose(kProblem, h200());
  EXPECT_EQ(chosen.schedule, fastest);
  EXPECT_EQ(chosen.origin, ScheduleOrigin::measured);
}

TEST_F(Tune, WhatIsMeasuredIsNotMeasuredAgainUnlessAsked) {
  ASSERT_TRUE(run({.candidates = 6}));
  ASSERT_TRUE(run({.candidates = 6}));
  EXPECT_EQ(counted_.count, 8);
  ASSERT_TRUE(run({.candidates = 7}));
  EXPECT_EQ(counted_.count, 9);
  ASSERT_TRUE(run({.candidates = 6, .again = true}));
  EXPECT_EQ(counted_.count, 17);
  EXPECT_EQ(stored().size(), 9u);
}

TEST_F(Tune, ADeadlineLeavesTheRestAndTakesOneAtLeast) {
  const auto result = run({.candidates = 6, .deadline = std::chrono::steady_clock::now()});
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->is_complete);
  EXPECT_EQ(counted_.count, 1);
  EXPECT_EQ(stored().size(), 1u);
  const auto rest = run({.candidates = 6});
  ASSERT_TRUE(rest);
  EXPECT_TRUE(rest->is_complete);
  EXPECT_EQ(counted_.count, 8);
}

TEST_F(Tune, AnErrorKeepsWhatCameBeforeIt) {
  int left = 3;
  const ScheduleTimer failing = [&](const TensorSchedule& schedule) -> StatusOr<Timing> {
    if (left-- == 0) return error_status(Code::unavailable, "the GPU is gone");
    return Timing{.seconds = seconds_of(schedule), .spread = 0, .runs = 1};
  };
  const auto result = tune(product_subject(kProblem), h200(), failing, store_);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().text().find("the GPU is gone"), std::string::npos);
  EXPECT_EQ(stored().size(), 3u);
}

TEST_F(Tune, ProblemsThatDoNotFitAreRefused) {
  const auto result =
      tune(product_subject(dense_problem(DType::f64, "NT", 64, 64, 64)), h200(), counted_.timer(), store_);
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().text().find("contract f64 NT 64x64x64"), std::string::npos) << result.error().text();
}

TEST_F(Tune, AStoreThatCannotBeWrittenIsAnError) {
  std::filesystem::create_directory(folder_.path("open"));
  std::filesystem::permissions(folder_.path("open"), std::filesystem::perms::all);
  runtime::TuningStore off({.folder = folder_.path("open"), .version = "build 1"});
  ::testing::internal::CaptureStderr();
  const auto result = tune(product_subject(kProblem), h200(), counted_.timer(), off);
  ::testing::internal::GetCapturedStderr();
  ASSERT_FALSE(result);
  EXPECT_EQ(counted_.count, 1);
}

// Killed while it measures the fifth schedule: four are there, and the next run takes the others.
TEST_F(Tune, AKilledRunGoesOnWhereItWas) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    runtime::TuningStore store({.folder = folder_.path("cache"), .version = "build 1"});
    int count = 0;
    const ScheduleTimer slow = [&](const TensorSchedule& schedule) -> StatusOr<Timing> {
      if (++count == 5) {
        if (write(ends[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
      }
      return Timing{.seconds = seconds_of(schedule), .spread = 0, .runs = 1};
    };
    (void)tune(product_subject(kProblem), h200(), slow, store, {.candidates = 6});
    _exit(1);
  }
  char byte;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(stored().size(), 4u);
  const auto result = run({.candidates = 6});
  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(counted_.count, 4);
  EXPECT_EQ(result->measured.size(), 8u);
}

}  // namespace
}  // namespace hyperion::codegen

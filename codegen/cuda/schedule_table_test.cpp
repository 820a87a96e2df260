#include "codegen/cuda/schedule_table.hpp"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "codegen/driver/compile.hpp"
#include "codegen/driver/tune.hpp"
#include "ir/text/parse.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::codegen {
namespace {

using testing_support::TempFolder;

CudaTarget h200() {
  CudaTarget target = *cuda_target("sm_90a");
  target.device = "NVIDIA H200", target.driver = 13000;
  return target;
}

std::shared_ptr<runtime::TuningStore> open_store(const TempFolder& folder) {
  return std::make_shared<runtime::TuningStore>(runtime::TuningStoreOptions{folder.path("cache"), "build 1"});
}

void put(runtime::TuningStore& store, const TensorProblem& problem, const std::string& schedule, double seconds) {
  ASSERT_TRUE(store.put(
      problem_class(problem), machine_of(h200()),
      {.schedule = schedule, .seconds = seconds, .spread = 0, .runs = 1, .peer_seconds = {}, .measured_at = 1}));
}

TEST(ScheduleTable, WhatIsPrintedIsReadBack) {
  std::set<std::string> texts;
  for (const char* layout : {"NN", "NT", "TN", "TT"}) {
    const TensorProblem problem = dense_problem(DType::bf16, layout, 4096, 2048, 1024);
    const auto schedules = all_schedules(problem, h200());
    EXPECT_GT(schedules.size(), tensor_schedules(problem, h200()).size());
    for (const TensorSchedule& schedule : schedules) {
      EXPECT_EQ(read_schedule(schedule.text(), problem, h200()), schedule);
      texts.insert(schedule.text());
    }
    for (const char* bad : {"", "128x256", "128x256, 4 stages, cluster 2, together, group 7",
                            "4096x4096, 4 stages, cluster 1, together, group 8"}) {
      EXPECT_FALSE(read_schedule(bad, problem, h200())) << bad;
    }
  }
  EXPECT_GT(texts.size(), 30u);
}

// A schedule of one layout may be none of another: it is not taken over.
TEST(ScheduleTable, SchedulesThatDoNotFitTheProblemAreNotRead) {
  const TensorProblem few_rows = dense_problem(DType::bf16, "NT", 64, 4096, 4096),
                      many = dense_problem(DType::bf16, "NT", 4096, 4096, 4096);
  const TensorSchedule clustered = tensor_schedules(many, h200()).front();
  ASSERT_EQ(clustered.cluster, 2);
  EXPECT_FALSE(read_schedule(clustered.text(), few_rows, h200()));
}

TEST(ScheduleTable, ProblemsOfOneClassAreCutIntoTheSameTiles) {
  const auto name = [](std::int64_t rows, std::int64_t columns, std::int64_t depth, std::int64_t batches = 1) {
    return problem_class(dense_problem(DType::bf16, "NT", rows, columns, depth, batches)).text();
  };
  EXPECT_EQ(name(4096, 1024, 768), "contract bf16 NT 4096x1024x768");
  EXPECT_EQ(name(4033, 961, 760), "contract bf16 NT 4096x1024x768");
  EXPECT_EQ(name(4032, 1024, 768), "contract bf16 NT 4032x1024x768");
  EXPECT_EQ(name(1, 1, 8, 12), "contract bf16 NT 12x64x64x64");
  EXPECT_EQ(problem_class(dense_problem(DType::bf16, "NT", 64, 64, 63)).text(), "contract bf16 nt 64x64x64");
  for (const char* text :
       {"contract bf16 NT 4096x1024x768", "contract f16 TN 12x64x64x64", "contract bf16 nT 64x64x64 vector+relu",
        "convolve bf16 NN 200704x64x64,3x3/1x1", "convolve f16 NT 12544x256x128,1x1/2x2 vector+add"}) {
    const auto problem = problem_of(*runtime::TuningProblem::parse(text));
    ASSERT_TRUE(problem) << text;
    EXPECT_EQ(problem_class(*problem).text(), text);
  }
  for (const char* text :
       {"convolve bf16 NT 64x64x64", "convolve bf16 NT 64x64x64,3x3", "convolve bf16 TT 64x64x64,3x3/1x1",
        "convolve bf16 NT 64x64,3x3/1x1", "contract b16 NT 64x64x64", "contract bf16 NTN 64x64x64",
        "contract bf16 NX 64x64x64", "contract bf16 NT 64x64", "contract bf16 NT 64x64x0",
        "contract bf16 NT 64x64x64x64x64", "contract bf16 NT 64x64x", "contract bf16 NT 64x64x99999999999"}) {
    EXPECT_FALSE(problem_of(*runtime::TuningProblem::parse(text))) << text;
  }
}

// What is wrong with a line of schedules.def; empty: nothing.
std::string mistake_in(const ShippedSchedule& line) {
  const auto name = runtime::TuningProblem::parse(line.problem);
  const auto problem = name ? problem_of(*name) : std::nullopt;
  if (!problem) return "no product";
  if (problem_class(*problem).text() != line.problem) return "no class of products: it is never looked up";
  if (!name->epilogue.empty()) return "with an epilogue";
  CudaTarget target = h200();
  target.device = line.device, target.multiprocessors = line.multiprocessors, target.tf32 = true;
  if (!fits_tensor_cores(*problem, target)) return "nothing for the tensor cores";
  const auto schedule = read_schedule(line.schedule, *problem, target);
  if (!schedule) return "no schedule of this product";
  const auto faults = verify(tensor_program(*problem, *schedule), target.block_shared_bytes);
  if (!faults.empty()) return faults[0];
  const ShippedSchedule alone[] = {line};
  const ChosenSchedule chosen = ScheduleTable(nullptr, alone).choose(*problem, target);
  return chosen.origin == ScheduleOrigin::shipped && chosen.schedule == *schedule ? "" : "it is not chosen";
}

TEST(ScheduleTable, EveryShippedScheduleIsOneOfItsProblem) {
  std::set<std::tuple<std::string_view, int, std::string_view>> seen;
  for (const ShippedSchedule& line : shipped_schedules()) {
    EXPECT_EQ(mistake_in(line), "") << line.problem << ": " << line.schedule;
    EXPECT_TRUE(seen.insert({line.device, line.multiprocessors, line.problem}).second) << line.problem << " twice";
  }
}

TEST(ScheduleTable, MistakesInShippedSchedulesAreFound) {
  const std::string good = tensor_schedules(dense_problem(DType::bf16, "NT", 4096, 4096, 4096), h200())[2].text();
  const auto mistake = [&](std::string_view problem, std::string_view schedule) {
    return mistake_in({"NVIDIA H200", 132, problem, schedule});
  };
  EXPECT_EQ(mistake("contract bf16 NT 4096x4096x4096", good), "");
  for (const char* problem : {"contract bf16 NT", "contract bf16 NT 4096x4096", "contract bf16 NT 4095x4096x4096",
                              "contract bf16 NT 4096x4096x4096 relu", "contract f64 NT 4096x4096x4096"}) {
    EXPECT_NE(mistake(problem, good), "") << problem;
  }
  EXPECT_NE(mistake("contract bf16 NT 4096x4096x4096", "128x256"), "");
  EXPECT_NE(mistake("contract bf16 NT 64x4096x4096", "128x256, 4 stages, cluster 2, together, group 8"), "");
}

TEST(ScheduleTable, PinnedThenMeasuredThenShippedThenTheModel) {
  const TempFolder folder;
  const TensorProblem problem = dense_problem(DType::bf16, "NT", 4096, 4096, 4096);
  const auto schedules = tensor_schedules(problem, h200());
  const std::string name = problem_class(problem).text(), second = schedules[1].text();
  const ShippedSchedule lines[] = {{"NVIDIA H100", 132, name, schedules[3].text()},
                                   {"NVIDIA H200", 132, name, "unreadable"},
                                   {"NVIDIA H200", 132, name, second}};
  const auto store = open_store(folder);
  ScheduleTable table(store, lines);
  const auto expect = [&](ScheduleTable& of, const TensorSchedule& schedule, ScheduleOrigin origin) {
    const ChosenSchedule chosen = of.choose(problem, h200());
    EXPECT_EQ(chosen.schedule, schedule) << chosen.schedule.text();
    EXPECT_EQ(chosen.origin, origin);
  };
  ScheduleTable nothing(store, {});
  expect(nothing, schedules[0], ScheduleOrigin::model);
  expect(table, schedules[1], ScheduleOrigin::shipped);
  // A choice makes no file.
  EXPECT_EQ(folder.entry_count(), 0u);
  put(*store, problem, schedules[4].text(), 2e-3);
  put(*store, problem, schedules[2].text(), 1e-3);
  expect(table, schedules[2], ScheduleOrigin::measured);
  table.pin(problem, schedules[5]);
  expect(table, schedules[5], ScheduleOrigin::pinned);
  // A record that cannot be used is as good as none.
  put(*store, problem, "99x99, 4 stages, cluster 1, together, group 8", 1e-6);
  ScheduleTable other(store, lines);
  expect(other, schedules[1], ScheduleOrigin::shipped);
  // Of another machine nothing is known, and nothing of one that is not here.
  CudaTarget elsewhere = h200();
  elsewhere.device = "NVIDIA GH200";
  EXPECT_EQ(other.choose(problem, elsewhere).origin, ScheduleOrigin::model);
  EXPECT_EQ(other.choose(problem, *cuda_target("sm_90a")).origin, ScheduleOrigin::model);
}

TEST(ScheduleTable, WithAnEpilogueItsOwnMeasurementComesFirst) {
  const TempFolder folder;
  TensorProblem plain = dense_problem(DType::bf16, "NT", 4096, 4096, 4096), with_relu = plain;
  with_relu.epilogue = "relu";
  const auto schedules = tensor_schedules(plain, h200());
  const auto store = open_store(folder);
  put(*store, plain, schedules[2].text(), 1e-3);
  ScheduleTable table(store, {});
  EXPECT_EQ(table.choose(with_relu, h200()).schedule, schedules[2]);
  put(*store, with_relu, schedules[3].text(), 5e-3);
  EXPECT_EQ(table.choose(with_relu, h200()).schedule, schedules[3]);
  EXPECT_EQ(table.choose(plain, h200()).schedule, schedules[2]);
}

// ---- what a program asks for ---------------------------------------------------------------------------------------

constexpr const char* kProgram = R"(hyperion 1
module @m {
  func @f(%x: bf16[512, 256], %w: bf16[256, 128], %v: bf16[128, 256], %b: bf16[128], %r: bf16[512, 256]) -> bf16[512, 256] {
    %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
    %bias = broadcast %b {dims = [1], shape = [512, 128]}
    %s = add %y, %bias
    %t = relu %s
    %z = dot %t, %v {lhs_contract = [1], rhs_contract = [0]}
    %u = add %z, %r
    return %u
  }
}
)";

std::unique_ptr<ir::Module> program() {
  Diagnostics diagnostics;
  auto module = ir::parse(kProgram, "program.hir", diagnostics);
  EXPECT_TRUE(module) << diagnostics.render();
  return *std::move(module);
}

TEST(ScheduleTable, AProgramAsksForItsProductsWithTheirEpilogues) {
  ScheduleTable table;
  std::string source;
  StageListener listener{.wants_code = false};
  listener.text = [&](Stage, const std::string& text) { source = text; };
  const auto module = program();
  ASSERT_TRUE(compile(*module, "f", {.target = h200(), .schedules = &table}, listener));
  ASSERT_EQ(table.asked().size(), 2u);
  EXPECT_EQ(table.asked()[0].name.text(), "contract bf16 NN 512x128x256 vector+add+relu");
  EXPECT_EQ(table.asked()[1].name.text(), "contract bf16 NN 512x256x128 matrix+add");
  EXPECT_NE(source.find("// the model's pick: "), std::string::npos);
}

TEST(ScheduleTable, ThePinnedScheduleIsPrinted) {
  const TensorProblem problem = dense_problem(DType::bf16, "NN", 512, 128, 256);
  ScheduleTable table;
  table.pin(problem, tensor_schedules(problem, h200())[3]);
  std::string source;
  StageListener listener{.wants_code = false};
  listener.text = [&](Stage, const std::string& text) { source = text; };
  const auto module = program();
  ASSERT_TRUE(compile(*module, "f", {.target = h200(), .schedules = &table}, listener));
  EXPECT_NE(source.find("// pinned: " + tensor_schedules(problem, h200())[3].text()), std::string::npos);
}

TEST(ScheduleTable, SubjectsAreTheGroupsOfAProgram) {
  const auto module = program();
  const auto subjects = subjects_of(*module, "f", h200(), false);
  ASSERT_TRUE(subjects) << subjects.error().text();
  ASSERT_EQ(subjects->size(), 2u);
  EXPECT_EQ((*subjects)[0].name().text(), "contract bf16 NN 512x128x256 vector+add+relu");
  EXPECT_EQ((*subjects)[0].module->find((*subjects)[0].function)->parameters().size(), 3u);
  EXPECT_EQ((*subjects)[1].name().text(), "contract bf16 NN 512x256x128 matrix+add");
}

}  // namespace
}  // namespace hyperion::codegen

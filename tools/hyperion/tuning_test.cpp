// `hyperion tune` with a timer in the place of a GPU, and what it does without one, as a process.
#include "tools/hyperion/tuning.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "codegen/driver/code_version.hpp"
#include "tests/support/source_path.hpp"
#include "tools/hyperion/program_testing.hpp"
#include "tools/hyperion/session.hpp"

namespace hyperion::tools {
namespace {

using testing_support::TempFolder;

codegen::CudaTarget h200() {
  codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  target.device = "NVIDIA H200", target.driver = 13000, target.tf32 = true;
  return target;
}

// The later a schedule comes, the faster it is.
StatusOr<codegen::ScheduleTimer> make_timer(const codegen::TuneSubject& subject) {
  auto seconds = std::make_shared<double>(subject.flops() / 500e12);
  return [seconds](const codegen::TensorSchedule&) -> StatusOr<codegen::Timing> {
    *seconds *= 0.99;
    return codegen::Timing{.seconds = *seconds, .spread = *seconds / 200, .runs = 7};
  };
}

struct Store : runtime::TuningStore {
  explicit Store(const TempFolder& folder)
      : TuningStore({.folder = folder.path("cache"), .version = std::string(codegen::code_version())}) {}
};

std::string tuned(const std::vector<TuneProblem>& problems, const TuneRun& run) {
  std::ostringstream out;
  run_tuning(problems, run, out);
  return out.str();
}

TuneRun quick(Store& store) { return {.target = h200(), .make_timer = make_timer, .store = store, .candidates = 3}; }

std::string thrown_by(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Tuning, ShapesAreReadOrRefusedByLine) {
  const auto problems =
      parse_problems("# squares\nbf16 NT 1024\n\n  f16 TN 12x256x128x64 peer 12.5  # batched\n", "list");
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].subject.name().text(), "contract bf16 NT 1024x1024x1024");
  EXPECT_FALSE(problems[0].peer_seconds);
  EXPECT_EQ(problems[1].subject.name().text(), "contract f16 TN 12x256x128x64");
  EXPECT_DOUBLE_EQ(*problems[1].peer_seconds, 12.5e-6);
  for (const std::string bad :
       {"bf16 NT", "bf16 NT 1024 peer", "bf16 NT 1024 pear 3", "bf16 NT 1024 peer x", "bf16 NT 1024 peer -3",
        "b16 NT 1024", "bf16 NX 1024", "bf16 NT 0", "bf16 NT 1x2", "bf16 NT 4x4x4x4x4", "bf16 NT 4x4x4x"}) {
    const std::string error = thrown_by([&] { parse_problems("bf16 NT 64\n" + bad + "\n", "list"); });
    EXPECT_EQ(error.find("list:2: "), 0u) << bad << ": " << error;
  }
}

TEST(Tuning, TheShapesOfTheShippedTableAreProductsForTensorCores) {
  const std::string file = testing_support::source_path("codegen/cuda/schedules.txt");
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "the sources are not here";
  const auto problems = parse_problems(contents(file), file);
  EXPECT_GT(problems.size(), 40u);
  for (const TuneProblem& one : problems) {
    EXPECT_TRUE(codegen::fits_tensor_cores(one.subject.problem, h200())) << one.subject.name().text();
  }
}

TEST(Tuning, ALineForEachProblemAndTheGainOverTheModel) {
  const TempFolder folder;
  Store store(folder);
  const auto problems = parse_problems("bf16 NT 4096 peer 300\nbf16 NN 2048x1024x512\n", "list");
  const std::string out = tuned(problems, quick(store));
  EXPECT_EQ(std::ranges::count(out, '\n'), 2) << out;
  EXPECT_EQ(out.find("contract bf16 NT 4096x4096x4096 "), 0u) << out;
  EXPECT_NE(out.find(" x peer; "), std::string::npos) << out;
  EXPECT_NE(out.find("4.1 % faster than the model's pick"), std::string::npos) << out;
  // All was measured: nothing is done, and the same is said.
  TuneRun again = quick(store);
  again.make_timer = [](const codegen::TuneSubject&) -> StatusOr<codegen::ScheduleTimer> {
    return [](const codegen::TensorSchedule&) -> StatusOr<codegen::Timing> {
      return error_status(Code::internal, "measured again");
    };
  };
  EXPECT_EQ(tuned(problems, again), out);

  const std::string table = tuning_table(store);
  EXPECT_EQ(table.find("NVIDIA H200, 132 multiprocessors, driver for CUDA 13.0\n  contract bf16 NN 2048x1024x512 "), 0u)
      << table;
  EXPECT_NE(table.find("best of 5"), std::string::npos) << table;
  EXPECT_NE(table.find("\n10 schedules of 2 products measured, "), std::string::npos) << table;
}

TEST(Tuning, ABudgetIsSharedOut) {
  const TempFolder folder;
  Store store(folder);
  TuneRun run = quick(store);
  run.budget_seconds = 1e-9;
  const std::string out = tuned(parse_problems("bf16 NT 1024\nbf16 NN 1024\n", "list"), run);
  EXPECT_EQ(store.statistics().measurements, 2);
  EXPECT_NE(out.find("; 1 schedule so far\n"), std::string::npos) << out;
}

TEST(Tuning, ProgressNamesTheProblemItsBestAndWhatIsLeft) {
  const TempFolder folder;
  Store store(folder);
  TuneRun run = quick(store);
  run.is_live = true, run.shows_all = true;
  const std::string out = tuned(parse_problems("bf16 NT 1024\n", "list"), run);
  EXPECT_NE(out.find("[1/1] contract bf16 NT 1024x1024x1024  2 of 5  best "), std::string::npos) << out;
  EXPECT_NE(out.find(" left"), std::string::npos) << out;
  EXPECT_NE(out.find("spread  0.5 %"), std::string::npos) << out;
}

TEST(Tuning, WhatHasNoFormIsRefusedBeforeTheWork) {
  const TempFolder folder;
  Store store(folder);
  const std::string error =
      thrown_by([&] { tuned(parse_problems("bf16 NT 1024\nf64 NT 1024\n", "list"), quick(store)); });
  EXPECT_NE(error.find("no form for contract f64 NT 1024x1024x1024"), std::string::npos) << error;
  EXPECT_EQ(store.statistics().measurements, 0);
}

// The file as it is shipped: reading it gives back what the store chose.
TEST(Tuning, ExportsAreLinesOfTheTable) {
  const TempFolder folder;
  Store store(folder);
  tuned(parse_problems("bf16 NT 4096\nbf16 NN 2048x1024x512\n", "list"), quick(store));
  const codegen::ShippedSchedule shipped[] = {{"NVIDIA H200", 132, "contract bf16 NT 4096x4096x4096", "older"},
                                              {"NVIDIA H200", 132, "contract bf16 TT 64x64x64", "kept"},
                                              {"NVIDIA H100", 132, "contract bf16 NT 4096x4096x4096", "of another"}};
  const std::string out = exported_schedules(store, shipped);
  std::istringstream lines(out);
  std::vector<std::string> entries;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("HYP_SCHEDULE("))
      entries.push_back(line);
    else
      EXPECT_TRUE(line.empty() || line.starts_with("//")) << line;
  }
  ASSERT_EQ(entries.size(), 4u) << out;
  EXPECT_EQ(entries[0], R"(HYP_SCHEDULE("NVIDIA H200", 132, "contract bf16 TT 64x64x64", "kept"))");
  EXPECT_EQ(entries[1], R"(HYP_SCHEDULE("NVIDIA H100", 132, "contract bf16 NT 4096x4096x4096", "of another"))");
  const auto best = store.list();
  EXPECT_EQ(entries[3].find(R"(HYP_SCHEDULE("NVIDIA H200", 132, "contract bf16 NT 4096x4096x4096", ")" +
                            best[1].best.schedule + "\")  // "),
            0u)
      << entries[3];
  EXPECT_EQ(out.find("older"), std::string::npos);
}

// Recorded, rewritten and fused as when it trains; f32 goes to the tensor cores as tf32.
TEST(Tuning, TheProductsOfAModelAreThoseOfItsStep) {
  for (const std::string& model : model_names()) {
    const RecordedStep step = Session::create({.model = model, .batch_size = 128})->record_step();
    const auto subjects = codegen::subjects_of(*step.module, step.function, h200(), true);
    ASSERT_TRUE(subjects) << subjects.error().text();
    EXPECT_FALSE(subjects->empty()) << model;
    std::string names;
    for (const codegen::TuneSubject& subject : *subjects) {
      names += subject.name().text() + "\n";
      EXPECT_TRUE(codegen::fits_tensor_cores(subject.problem, h200())) << subject.name().text();
    }
    // Pixels to the hidden layer, with bias and ReLU.
    if (model == "mlp") {
      EXPECT_NE(names.find("contract f32 NT 128x512x800 "), std::string::npos) << names;
    }
    const codegen::CudaTarget exact = [] {
      codegen::CudaTarget target = h200();
      target.tf32 = false;
      return target;
    }();
    EXPECT_TRUE(codegen::subjects_of(*step.module, step.function, exact, false)->empty())
        << "exact f32 is no matter of tensor cores";
  }
}

// ---- the program ---------------------------------------------------------------------------------------------------

TEST(TuneCommand, ListsExportsAndForgetsWithoutAGpu) {
  const TempFolder folder;
  EXPECT_EQ(run(folder, {"tune", "--list"}).out.find("0 schedules of 0 products measured"), 0u);
  {
    Store store(folder);
    tuned(parse_problems("bf16 NT 4096\n", "list"), quick(store));
  }
  const Outcome list = run(folder, {"tune", "--list"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_NE(list.out.find("contract bf16 NT 4096x4096x4096"), std::string::npos) << list.out;
  const Outcome exported = run(folder, {"tune", "--export", folder.path("schedules.def")});
  EXPECT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_NE(contents(folder.path("schedules.def"))
                .find("HYP_SCHEDULE(\"NVIDIA H200\", 132, \"contract bf16 NT 4096x4096x4096\", "),
            std::string::npos);

  const std::string cache = run(folder, {"cache", "list"}).out;
  EXPECT_NE(cache.find("tuning: 5 schedules of 1 product measured"), std::string::npos) << cache;
  const Outcome forgotten = run(folder, {"tune", "--forget"});
  EXPECT_EQ(forgotten.out, "removed 5 measurements\n") << forgotten.err;
  {
    Store store(folder);
    tuned(parse_problems("bf16 NT 4096\n", "list"), quick(store));
  }
  EXPECT_NE(run(folder, {"cache", "clear"}).out.find("removed 5 measurements"), std::string::npos);
  EXPECT_EQ(run(folder, {"tune", "--list"}).out.find("0 schedules of 0 products measured"), 0u);
}

TEST(TuneCommand, MistakesAreSaidBeforeAnythingIsMeasured) {
  const TempFolder folder;
  for (const Words& words : {Words{"tune", "--list", "--forget"}, Words{"tune", "--dtype", "f64"},
                             Words{"tune", "--layout", "NX"}, Words{"tune", "--model", "rnn"},
                             Words{"tune", "--shapes", folder.path("none")}, Words{"tune", "--budget", "0"}}) {
    const Outcome outcome = run(folder, words);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.out << outcome.err;
    EXPECT_NE(outcome.err, "");
  }
  const Outcome cpu = run(folder, {"tune", "--device", "cpu"});
  EXPECT_EQ(cpu.exit_code, 1);
  EXPECT_NE(cpu.err.find("cpu has nothing to tune"), std::string::npos) << cpu.err;
  const Outcome shape = run(folder, {"tune", "4096x12y"});
  EXPECT_EQ(shape.exit_code, 1);
  EXPECT_NE(shape.err.find("'bf16 NN 4096x12y' is no product"), std::string::npos) << shape.err;
  const Outcome help = run(folder, {"tune", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* word :
       {"--shapes", "--budget", "--model", "--list", "--forget", "--export", "Nothing is ever measured unless"}) {
    EXPECT_NE(help.out.find(word), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace hyperion::tools

#include "tests/benchmark/cuda/race.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/support/temp_folder.hpp"

namespace hyperion::benchmark {
namespace {

// Measures what it is told, in seconds of each name.
struct Fake final : Contestant {
  std::vector<std::string> names;
  std::vector<double> seconds;
  std::string refusal, breakdown;
  int measured = 0, released = 0;

  StatusOr<> prepare(const Case&) override { return {}; }
  StatusOr<std::vector<std::string>> ready() override {
    if (!refusal.empty()) return error_status(Code::unavailable, refusal);
    return names;
  }
  StatusOr<std::vector<std::vector<double>>> measure(Clock, int count) override {
    ++measured;
    if (!breakdown.empty()) return error_status(Code::unavailable, breakdown);
    std::vector<std::vector<double>> samples;
    for (const double each : seconds) samples.emplace_back(static_cast<std::size_t>(count), each);
    return samples;
  }
  void release() override { ++released; }
};

Case bandwidth_case() {
  return {.suite = "memory", .name = "add", .shape = "2x3", .dtype = "f32", .unit = "TB/s", .work = 1e9};
}

TEST(GpuRace, TheBestPeerCounts) {
  Fake ours, peers;
  ours.names = {"Hyperion"}, ours.seconds = {1e-3};
  peers.names = {"eager", "compiled"}, peers.seconds = {4e-3, 2e-3};
  const Row row = race_on_gpu(bandwidth_case(), "cuda:0", ours, &peers);
  EXPECT_EQ(row.failure, "");
  EXPECT_DOUBLE_EQ(row.median, 1);
  EXPECT_EQ(row.peer, "compiled");
  EXPECT_DOUBLE_EQ(row.peer_median.value_or(0), 0.5);
  EXPECT_DOUBLE_EQ(row.ratio().value_or(0), 2);
  EXPECT_EQ(row.device, "cuda:0");
  EXPECT_GE(ours.measured, 3);
  EXPECT_EQ(ours.released, 1);
  EXPECT_EQ(peers.released, 1);
}

TEST(GpuRace, WithoutPeersTheRowSaysWhy) {
  Fake ours;
  ours.names = {"Hyperion"}, ours.seconds = {1e-3};
  EXPECT_EQ(race_on_gpu(bandwidth_case(), "cuda:0", ours, nullptr, "no PyTorch").peer, "peer absent: no PyTorch");
  Fake peers;
  peers.refusal = "out of memory";
  const Row row = race_on_gpu(bandwidth_case(), "cuda:0", ours, &peers);
  EXPECT_EQ(row.peer, "peer absent: out of memory");
  EXPECT_DOUBLE_EQ(row.median, 1);
  EXPECT_EQ(row.ratio(), std::nullopt);
}

TEST(GpuRace, OurFailureKeepsThePeersFigure) {
  Fake ours, peers;
  ours.refusal = "a kernel does not compile";
  peers.names = {"eager"}, peers.seconds = {1e-3};
  const Row row = race_on_gpu(bandwidth_case(), "cuda:0", ours, &peers);
  EXPECT_EQ(row.failure, "a kernel does not compile");
  EXPECT_DOUBLE_EQ(row.peer_median.value_or(0), 1);
  EXPECT_EQ(row.ratio(), std::nullopt);
  EXPECT_NE(gpu_row_text(row, {}).find("failed: a kernel does not compile"), std::string::npos);
}

TEST(GpuRace, AFailureWhileMeasuringIsOurs) {
  Fake ours;
  ours.names = {"Hyperion"}, ours.breakdown = "ended by signal 6 (Aborted)";
  const Row row = race_on_gpu(bandwidth_case(), "cuda:0", ours, nullptr);
  EXPECT_EQ(row.failure, "ended by signal 6 (Aborted)");
  EXPECT_EQ(ours.released, 1);
}

TEST(GpuRace, SlowCasesAreMeasuredLessOften) {
  const Turns fast = turns_for(Clock::device, 1e-5), slow = turns_for(Clock::device, 0.1), slowest = turns_for(Clock::device, 10);
  EXPECT_EQ(fast.turns * fast.count, 30);
  EXPECT_EQ(slow.turns * slow.count, 15);
  EXPECT_EQ(slowest.turns * slowest.count, 3);
  EXPECT_GT(turns_for(Clock::wall, 1e-5).count, 1000);
  EXPECT_EQ(turns_for(Clock::wall, 10).count, 1);
  EXPECT_EQ(turns_for(Clock::once, 10).count, 1);
}

Row row_of(std::string suite, std::string name, double median, std::optional<double> peer_median) {
  return {.suite = std::move(suite), .name = std::move(name), .shape = "2x3", .device = "cuda:0", .median = median,
          .unit = "TB/s", .peer = "eager", .peer_median = peer_median};
}

TEST(GpuTable, SummaryIsAGeometricMeanForEachSuiteAndDtype) {
  std::vector<Row> rows{row_of("memory", "a", 4, 1), row_of("memory", "b", 1, 4), row_of("memory", "c", 1, std::nullopt)};
  Row failed = row_of("memory", "d", 0, 1);
  failed.failure = "why";
  rows.push_back(failed);
  EXPECT_EQ(summary(rows), std::vector<std::string>{"memory       f32   geometric mean of 2 ratios 1.00, worst 0.25 (b 2x3)"});
}

TEST(GpuTable, MarkdownHasShareOfCopyAndFailures) {
  std::vector<Row> rows{row_of("machine", "copy", 4, 4.2), row_of("memory", "add", 3, 2)};
  Row failed = row_of("memory", "sum", 0, std::nullopt);
  failed.failure = "why";
  rows.push_back(failed);
  EXPECT_EQ(gpu_markdown(rows, "a GPU"), R"(Machine: a GPU.

| machine | shape | dtype | Hyperion | | of copy | peer | ratio | |
| --- | --- | --- | ---: | --- | ---: | ---: | ---: | --- |
| copy | 2x3 | f32 | 4.000 | TB/s | 100 % | 4.200 | 0.95 | eager |

| memory | shape | dtype | Hyperion | | of copy | peer | ratio | |
| --- | --- | --- | ---: | --- | ---: | ---: | ---: | --- |
| add | 2x3 | f32 | 3.000 | TB/s | 75 % | 2.000 | 1.50 | eager |
| sum | 2x3 | f32 | - | TB/s |  | - | - | failed: why |

- machine      f32   geometric mean of 1 ratio 0.95, worst 0.95 (copy 2x3)
- memory       f32   geometric mean of 1 ratio 1.50, worst 1.50 (add 2x3)
)");
}

TEST(GpuTable, JsonOfAFailureHasNoFigure) {
  const testing_support::TempFolder folder;
  Row failed = row_of("memory", "sum", 0, 2);
  failed.failure = "expected \"x\"";
  ASSERT_TRUE(write_json({failed}, folder.path("rows.json")));
  std::stringstream text;
  text << std::ifstream(folder.path("rows.json")).rdbuf();
  EXPECT_EQ(text.str(), R"([
  {"suite": "memory", "name": "sum", "shape": "2x3", "dtype": "f32", "device": "cuda:0", "threads": 1, "median": null, "unit": "TB/s", "peer": "eager", "peer_median": 2, "ratio": null, "failure": "expected \"x\""}
]
)");
}

// ---- a contestant that is a process

ProcessContestant shell(const std::string& script, const std::string& log = "") { return {{"/bin/sh", "-c", script}, log}; }

TEST(GpuContestant, SpeaksTheLanguage) {
  ProcessContestant contestant = shell(R"(
    printf 'hello\ta machine\n'
    while read -r word rest; do
      case $word in
        prepare) printf 'ready\ta\tb\n' ;;
        measure) printf 'seconds\t1 2\t3 4\n' ;;
        release) printf 'released\n' ;;
      esac
    done)");
  EXPECT_EQ(contestant.start().value_or(""), "a machine");
  ASSERT_TRUE(contestant.prepare(bandwidth_case()));
  EXPECT_EQ(contestant.ready().value_or(std::vector<std::string>{}), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(contestant.measure(Clock::device, 2).value_or(std::vector<std::vector<double>>{}),
            (std::vector<std::vector<double>>{{1, 2}, {3, 4}}));
  contestant.release();
}

TEST(GpuContestant, SaysWhyItIsAbsent) {
  ProcessContestant contestant = shell(R"(printf 'absent\tthere is no GPU\n')");
  const StatusOr<std::string> said = contestant.start();
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().message, "there is no GPU");
}

TEST(GpuContestant, AProcessThatDiesSaysHowAndIsStartedAgain) {
  const testing_support::TempFolder folder;
  ProcessContestant contestant = shell(R"(
    printf 'hello\ta machine\n'
    read -r first
    echo 'broken invariant' >&2
    kill -ABRT $$)", folder.path("log"));
  for (int repetition = 0; repetition < 2; ++repetition) {
    ASSERT_TRUE(contestant.prepare(bandwidth_case()));
    const auto answer = contestant.ready();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "ended by signal 6 (Aborted): broken invariant");
  }
}

}  // namespace
}  // namespace hyperion::benchmark

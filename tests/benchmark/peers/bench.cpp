#include "tests/benchmark/peers/bench.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "ir/support/json.hpp"

namespace hyperion::benchmark {
namespace {

// Calls in a turn; 0 stands for one call that alone is longer than a turn.
int repetitions_for(const Call& call, int threads, double turn_seconds) {
  call();  // the first call may compile, allocate and touch pages
  // Enough repetitions that the clock's own cost and grain vanish, then scaled to a turn.
  for (int count = 1;; count *= 4) {
    const double start = clock_seconds(threads);
    for (int i = 0; i < count; ++i) call();
    const double seconds = clock_seconds(threads) - start;
    if (seconds > turn_seconds / 16) {
      return static_cast<int>(turn_seconds / seconds * count);
    }
  }
}

// The workers of whoever had the turn before spin on for a while (OpenBLAS's for some 20 ms) and would hold the cores that
// this one's workers need. Then its own workers are woken, which a steady caller has done long ago.
void take_the_cores(const Call& call) {
  constexpr auto kOthersSleep = std::chrono::milliseconds(40);
  constexpr double kWarmUpSeconds = 1e-3;
  std::this_thread::sleep_for(kOthersSleep);
  const double start = clock_seconds(0);
  do call();
  while (clock_seconds(0) - start < kWarmUpSeconds);
}

bool more_is_better(std::string_view unit) { return unit.ends_with("/s"); }

std::string number_or_null(const std::optional<double>& value) {
  return value ? format("{:.6g}", *value) : "null";
}

std::string number_or_dash(const std::optional<double>& value, int digits) {
  return value ? format("{:.{}f}", *value, digits) : "-";
}

std::string json_row(const Row& row) {
  const std::optional<double> median = row.failure.empty() ? std::optional(row.median) : std::nullopt;
  return format(R"({{"suite": {}, "name": {}, "shape": {}, "dtype": {}, "device": {}, "threads": {}, )"
                R"("median": {}, "unit": {}, "peer": {}, "peer_median": {}, "ratio": {}{}}})",
                json_string(row.suite), json_string(row.name), json_string(row.shape), json_string(row.dtype),
                json_string(row.device), row.threads, number_or_null(median), json_string(row.unit),
                json_string(row.peer), number_or_null(row.peer_median), number_or_null(row.ratio()),
                row.failure.empty() ? "" : ", \"failure\": " + json_string(row.failure));
}

}  // namespace

double clock_seconds(int threads) {
  timespec t{};
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Contender timed(std::string name, Call call, int threads, double turn_seconds) {
  auto chosen = std::make_shared<std::optional<int>>();
  return {std::move(name), [=, call = std::move(call)] {
            if (!*chosen) *chosen = repetitions_for(call, threads, turn_seconds);
            if (threads != 1) take_the_cores(call);
            else if (**chosen > 0) call();
            const int count = std::max(1, **chosen);
            const double start = clock_seconds(threads);
            for (int i = 0; i < count; ++i) call();
            return (clock_seconds(threads) - start) / count;
          }};
}

std::vector<double> race(const std::vector<Contender>& contenders, int turns) {
  std::vector<std::vector<double>> samples(contenders.size());
  const double start = clock_seconds(0);
  for (int turn = 0; turn < turns; ++turn) {
    if (turn >= kFewestTurns && clock_seconds(0) - start > kRaceSeconds) break;
    for (std::size_t i = 0; i < contenders.size(); ++i) samples[i].push_back(contenders[i].turn());
  }
  std::vector<double> medians;
  for (std::vector<double>& sample : samples) {
    std::ranges::sort(sample);
    const std::size_t middle = sample.size() / 2;
    medians.push_back(sample.size() % 2 == 1 ? sample[middle]
                                             : (sample[middle - 1] + sample[middle]) / 2);
  }
  return medians;
}

std::optional<double> Row::ratio() const {
  if (!peer_median || *peer_median <= 0 || median <= 0) return std::nullopt;
  return more_is_better(unit) ? median / *peer_median : *peer_median / median;
}

void Report::add(Row row) {
  if (rows_.empty() || rows_.back().suite != row.suite) {
    std::printf("\n%-32s %-24s %7s %10s %-8s %10s  %5s  %s\n", row.suite.c_str(), "shape",
                "threads", "hyperion", "", "peer", "ratio", "");
  }
  std::printf("%-32s %-24s %7d %10.2f %-8s %10s  %5s  %s\n", row.name.c_str(), row.shape.c_str(),
              row.threads, row.median, row.unit.c_str(), number_or_dash(row.peer_median, 2).c_str(),
              number_or_dash(row.ratio(), 2).c_str(), row.peer.c_str());
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

StatusOr<> write_json(const std::vector<Row>& rows, const std::string& path) {
  std::string text = "[\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += "  " + json_row(rows[i]) + (i + 1 < rows.size() ? ",\n" : "\n");
  }
  text += "]\n";
  return write_file_atomically(path, std::as_bytes(std::span(text)));
}

StatusOr<> Report::write_json(const std::string& path) const { return benchmark::write_json(rows_, path); }

StatusOr<> Report::write_markdown(const std::string& path, const std::string& machine) const {
  std::string text = "Machine: " + machine + ".\n";
  const Row* above = nullptr;
  for (const Row& row : rows_) {
    if (above == nullptr || above->suite != row.suite || above->threads != row.threads) {
      text += format("\n| {}, {} thread{} | shape | Hyperion | | peer | ratio | |\n", row.suite,
                     row.threads, row.threads == 1 ? "" : "s");
      text += "| --- | --- | ---: | --- | ---: | ---: | --- |\n";
    }
    text += format("| {} | {} | {:.2f} | {} | {} | {} | {} |\n", row.name, row.shape, row.median,
                   row.unit, number_or_dash(row.peer_median, 2), number_or_dash(row.ratio(), 2),
                   row.peer);
    above = &row;
  }
  return write_file_atomically(path, std::as_bytes(std::span(text)));
}

}  // namespace hyperion::benchmark

#include "tests/benchmark/cuda/race.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "ir/support/format.hpp"

namespace hyperion::benchmark {
namespace {

// Thirty samples settle a median; a case may take this long on each side, but is measured three times in any case.
constexpr int kTurnsOfEach = 6, kSamplesInTurn = 5, kFewSamples = 3;
constexpr double kCaseSeconds = 1.5;

std::string digits(double value) {
  if (value < 10) return format("{:.3f}", value);
  return value < 1000 ? format("{:.1f}", value) : format("{:.0f}", value);
}

std::string digits(const std::optional<double>& value) { return value ? digits(*value) : "-"; }

std::string ratio_text(const Row& row) { return row.ratio() ? format("{:.2f}", *row.ratio()) : "-"; }

std::string percent_text(const std::optional<double>& percent) { return percent ? format("{:.0f} %", *percent) : ""; }

// What a contestant's samples are in total.
struct Samples {
  std::vector<std::string> names;
  std::vector<std::vector<double>> seconds;

  void take(const std::vector<std::vector<double>>& more) {
    seconds.resize(names.size());
    for (std::size_t k = 0; k < std::min(more.size(), seconds.size()); ++k) {
      seconds[k].insert(seconds[k].end(), more[k].begin(), more[k].end());
    }
  }
};

double slowest(const std::vector<std::vector<double>>& samples) {
  double most = 0;
  for (const std::vector<double>& each : samples) {
    for (const double seconds : each) most = std::max(most, seconds);
  }
  return most;
}

std::string shortened(const std::string& text) {
  constexpr std::size_t kMost = 200;
  return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

// The peers' part of a race: errors end it and leave the reason.
class Peers {
 public:
  Peers(Contestant* contestant, std::string why_none) : contestant_(contestant), why_none_(std::move(why_none)) {}

  void prepare(const Case& c) { note(contestant_ != nullptr ? contestant_->prepare(c) : StatusOr<>()); }
  void wait_until_ready() {
    if (!is_running()) return;
    StatusOr<std::vector<std::string>> names = contestant_->ready();
    if (names) samples_.names = *std::move(names);
    else why_none_ = names.error().message;
  }
  // The time of the slowest; zero without peers.
  double turn(Clock clock, int count, bool is_kept) {
    if (!is_running()) return 0;
    const auto measured = contestant_->measure(clock, count);
    if (!measured) {
      why_none_ = measured.error().message;
      return 0;
    }
    if (is_kept) samples_.take(*measured);
    return slowest(*measured);
  }
  void finish(const Case& c, Row& row) {
    if (contestant_ != nullptr) contestant_->release();
    if (!c.has_peers) return;
    if (!is_running()) {
      row.peer = "peer absent" + (why_none_.empty() ? "" : ": " + shortened(why_none_));
      return;
    }
    std::optional<double> best;
    for (std::size_t k = 0; k < samples_.names.size(); ++k) {
      if (k >= samples_.seconds.size() || samples_.seconds[k].empty()) continue;
      const double seconds = median_of(samples_.seconds[k]);
      if (best && *best <= seconds) continue;
      best = seconds;
      row.peer = samples_.names[k];
      row.peer_median = c.figure(seconds);
    }
    if (!best) row.peer = "peer absent";
  }

 private:
  bool is_running() const { return contestant_ != nullptr && why_none_.empty(); }
  void note(const StatusOr<>& done) {
    if (!done) why_none_ = done.error().message;
  }

  Contestant* contestant_;
  std::string why_none_;
  Samples samples_;
};

}  // namespace

Turns turns_for(Clock clock, double seconds) {
  seconds = std::max(seconds, 1e-9);
  if (clock == Clock::once) return {.turns = kFewSamples, .count = seconds < 0.5 ? 2 : 1};
  if (clock == Clock::wall) {
    const double calls = kCaseSeconds / kTurnsOfEach / seconds;
    return {.turns = kTurnsOfEach + 1, .count = static_cast<int>(std::clamp(calls, 1.0, 2000.0))};
  }
  if (seconds * kTurnsOfEach * kSamplesInTurn < kCaseSeconds) return {.turns = kTurnsOfEach, .count = kSamplesInTurn};
  // Fifteen as long as that is bearable.
  if (seconds * 15 < 3 * kCaseSeconds) return {.turns = 5, .count = 3};
  return {.turns = kFewSamples, .count = 1};
}

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Row race_on_gpu(const Case& c, const std::string& device, Contestant& ours, Contestant* peers,
                const std::string& why_no_peers) {
  Row row{.suite = c.suite, .name = c.name, .shape = c.shape, .dtype = c.dtype, .device = device, .unit = c.unit};
  Peers theirs(peers, why_no_peers);
  std::vector<double> seconds;
  const auto run = [&]() -> StatusOr<> {
    theirs.prepare(c);
    const StatusOr<> asked = ours.prepare(c);
    StatusOr<std::vector<std::string>> named = asked ? ours.ready() : std::unexpected(asked.error());
    theirs.wait_until_ready();
    // Without a figure of ours the peer's is still of use.
    double slowest_call = theirs.turn(c.clock, 1, false);
    if (named) {
      HYP_TRY(const auto first, ours.measure(c.clock, 1));
      slowest_call = std::max(slowest_call, slowest(first));
    }
    const Turns turns = turns_for(c.clock, slowest_call);
    for (int turn = 0; turn < turns.turns; ++turn) {
      theirs.turn(c.clock, turns.count, true);
      if (!named) continue;
      HYP_TRY(const auto more, ours.measure(c.clock, turns.count));
      if (!more.empty()) seconds.insert(seconds.end(), more[0].begin(), more[0].end());
    }
    return named ? StatusOr<>() : std::unexpected(named.error());
  };
  const StatusOr<> done = run();
  ours.release();
  theirs.finish(c, row);
  if (!done) row.failure = shortened(done.error().message);
  else if (seconds.empty()) row.failure = "no samples";
  else row.median = c.figure(median_of(seconds));
  return row;
}

std::optional<double> percent_of_copy(const Row& row, const std::vector<Row>& rows) {
  if (row.unit != "TB/s" || !row.failure.empty()) return std::nullopt;
  const auto copy = std::ranges::find_if(rows, [](const Row& r) { return r.suite == "machine" && r.name == "copy"; });
  if (copy == rows.end() || copy->median <= 0) return std::nullopt;
  return 100 * row.median / copy->median;
}

std::string gpu_row_heading(const std::string& suite) {
  return format("{:<34} {:<30} {:<5} {:>9} {:<8} {:>7} {:>9} {:>6}  ", suite, "shape", "dtype", "hyperion", "", "of copy",
                "peer", "ratio");
}

std::string gpu_row_text(const Row& row, const std::vector<Row>& rows) {
  const bool has_figure = row.failure.empty();
  return format("{:<34} {:<30} {:<5} {:>9} {:<8} {:>7} {:>9} {:>6}  {}{}", row.name, row.shape, row.dtype,
                has_figure ? digits(row.median) : "-", row.unit, percent_text(percent_of_copy(row, rows)),
                digits(row.peer_median), ratio_text(row), row.peer,
                has_figure ? "" : "; failed: " + row.failure);
}

std::vector<std::string> summary(const std::vector<Row>& rows) {
  struct Group {
    int count = 0;
    double logarithms = 0;
    const Row* worst = nullptr;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;
  for (const Row& row : rows) {
    if (!row.failure.empty() || !row.ratio()) continue;
    Group& group = groups[{row.suite, row.dtype}];
    ++group.count;
    group.logarithms += std::log(*row.ratio());
    if (group.worst == nullptr || *row.ratio() < *group.worst->ratio()) group.worst = &row;
  }
  std::vector<std::string> lines;
  for (const auto& [name, group] : groups) {
    lines.push_back(format("{:<12} {:<5} geometric mean of {} ratio{} {:.2f}, worst {:.2f} ({} {})", name.first, name.second,
                           group.count, group.count == 1 ? "" : "s", std::exp(group.logarithms / group.count),
                           *group.worst->ratio(), group.worst->name, group.worst->shape));
  }
  return lines;
}

std::string gpu_markdown(const std::vector<Row>& rows, const std::string& machine) {
  std::string text = "Machine: " + machine + ".\n";
  const Row* above = nullptr;
  for (const Row& row : rows) {
    if (above == nullptr || above->suite != row.suite) {
      text += format("\n| {} | shape | dtype | Hyperion | | of copy | peer | ratio | |\n", row.suite);
      text += "| --- | --- | --- | ---: | --- | ---: | ---: | ---: | --- |\n";
    }
    const bool has_figure = row.failure.empty();
    text += format("| {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", row.name, row.shape, row.dtype,
                   has_figure ? digits(row.median) : "-", row.unit, percent_text(percent_of_copy(row, rows)),
                   digits(row.peer_median), ratio_text(row), has_figure ? row.peer : "failed: " + row.failure);
    above = &row;
  }
  const std::vector<std::string> lines = summary(rows);
  if (!lines.empty()) text += "\n";
  for (const std::string& line : lines) text += "- " + line + "\n";
  return text;
}

}  // namespace hyperion::benchmark

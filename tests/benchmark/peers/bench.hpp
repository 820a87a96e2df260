// bench.hpp: a fair race, and the record of it.
//
// Clocks wander by 15 % within a minute and neighbours come and go, so contenders take turns in one
// process and only figures of the same race are compared. A turn is long enough to be timed well;
// before it the contender runs once untimed, to bring its code and operands back into the caches.
// What counts is the median over the turns.
//
// With one thread the clock is the thread's CPU time, which a busy machine disturbs little; with
// more it is wall time.
//
//   const double seconds[] = race({timed("hyperion", ours, 1), timed("oneDNN", theirs, 1)});
//   report.add({...});                      // prints the row
//   report.write_json("build/bench/cpu.json");
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/support/status.hpp"

namespace hyperion::benchmark {

using Call = std::function<void()>;

struct Contender {
  std::string name;
  std::function<double()> turn;  // runs one turn and returns the seconds of one call
};

// How long a turn of one contender lasts, and how many there are. Fifteen turns of 40 ms settle a
// median to within 1 % on an idle machine.
inline constexpr double kTurnSeconds = 0.04;
inline constexpr int kTurns = 15;
// A race of slow calls (a 4096 x 4096 product takes a second) ends after this long, but not before
// three turns.
inline constexpr double kRaceSeconds = 8;
inline constexpr int kFewestTurns = 3;

// A contender that repeats `call` for about a turn; the repetitions are chosen on its first turn.
Contender timed(std::string name, Call call, int threads, double turn_seconds = kTurnSeconds);

// Median seconds of one call for each contender, in the order given.
std::vector<double> race(const std::vector<Contender>& contenders, int turns = kTurns);

// Seconds of the clock described above.
double clock_seconds(int threads);

struct Row {
  std::string suite;  // "matmul"
  std::string name;   // "sgemm"
  std::string shape;  // "512x512x512"
  std::string dtype = "f32";
  std::string device = "cpu";
  int threads = 1;
  double median = 0;  // ours
  std::string unit;   // "GFLOP/s", "GB/s": more is better; "ms", "ns", "ulp": less is
  std::string peer;   // "oneDNN 2.6.3"; "peer absent" when there is none here
  std::optional<double> peer_median;
  std::string failure;  // why there is no figure of ours; empty when there is one

  // Above 1: Hyperion is faster. Nothing without a peer.
  std::optional<double> ratio() const;
};

// One array of objects with the fields of Row and `ratio`; absent figures are null, and `failure` is
// there only when it says something. Atomic.
StatusOr<> write_json(const std::vector<Row>& rows, const std::string& path);

class Report {
 public:
  // Prints the row under a heading that is repeated when the suite changes.
  void add(Row row);
  StatusOr<> write_json(const std::string& path) const;
  // The tables of docs/performance/cpu.md: one for each suite and number of threads, after a line
  // that names the machine. Atomic.
  StatusOr<> write_markdown(const std::string& path, const std::string& machine) const;
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::vector<Row> rows_;
};

}  // namespace hyperion::benchmark

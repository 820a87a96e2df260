// tuning_store.hpp: how long schedules took, kept between runs beside the compile cache.
//
//   <folder>/tuning.sqlite    table measurement: one row for each schedule of each problem on each machine
//
// A row is written as soon as its schedule was measured, in a transaction of its own: a process that is killed loses
// what it was measuring, and nothing else. Processes may share the file. Rows of another version of the compiler are
// kept for it and not used: a schedule's time says nothing about code that is printed differently.
//
// What stands in the file is a hint, not trusted: whoever reads a schedule checks that it fits its problem. A file that
// is torn, or not one of ours, is renamed to tuning.sqlite.set-aside with one warning, and a new one is begun. Nothing
// here makes anything fail: a store that cannot be used is empty.
//
// Looking something up makes no file. Thread safety: all functions. A child of fork() opens its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/support/status.hpp"

struct sqlite3;

namespace hyperion::runtime {

// A class of problems that have the same best schedule. No word holds a space.
struct TuningProblem {
  std::string op;        // "contract"
  std::string dtypes;    // "bf16"
  std::string layouts;   // "NT"
  std::string shape;     // "4096x4096x1024"
  std::string epilogue;  // "vector+add+relu"; empty: the result is stored as it is

  friend bool operator==(const TuningProblem&, const TuningProblem&) = default;
  std::string text() const;  // the words in this order
  static std::optional<TuningProblem> parse(std::string_view text);
};

struct TuningMachine {
  std::string device;  // "NVIDIA H200"
  int multiprocessors = 0;
  int driver = 0;  // 13000

  friend bool operator==(const TuningMachine&, const TuningMachine&) = default;
  std::string text() const;
};

struct TuningRecord {
  std::string schedule;
  double seconds = 0;  // median of the samples
  double spread = 0;   // in seconds: what lies between the quartiles
  std::int64_t runs = 0;
  std::optional<double> peer_seconds;  // what another library took, where somebody said so
  std::int64_t measured_at = 0;        // seconds since 1970
};

struct TuningEntry {
  TuningProblem problem;
  TuningMachine machine;
  TuningRecord best;
  std::int64_t schedules = 0;  // that were measured
};

struct TuningStoreOptions {
  std::string folder;   // empty: default_cache_folder()
  std::string version;  // of the compiler
};

struct TuningStatistics {
  std::int64_t problems = 0, measurements = 0;  // of this version
  std::int64_t others = 0;                      // measurements of other versions
  std::uint64_t bytes = 0;                      // of the file and its journal
};

class TuningStore {
 public:
  explicit TuningStore(TuningStoreOptions options);
  ~TuningStore();
  TuningStore(const TuningStore&) = delete;
  TuningStore& operator=(const TuningStore&) = delete;

  std::string path() const;
  // Of this version, fastest first.
  std::vector<TuningRecord> measured(const TuningProblem& problem, const TuningMachine& machine);
  std::optional<TuningRecord> best(const TuningProblem& problem, const TuningMachine& machine);
  // Replaces what was measured of the same schedule. Once it returns true, the record survives this process.
  bool put(const TuningProblem& problem, const TuningMachine& machine, const TuningRecord& record);

  // The best of each problem of this version, by machine and problem.
  std::vector<TuningEntry> list();
  TuningStatistics statistics();
  // Removes all rows, of every version; returns how many.
  std::int64_t forget();

 private:
  template <class Work>
  bool with_database(bool makes_it, Work work);
  StatusOr<> open();
  void close();
  void warn(const std::string& text);

  TuningStoreOptions options_;
  std::mutex mutex_;             // guards what follows
  sqlite3* database_ = nullptr;  // null: not opened yet, or off
  bool is_off_ = false;
  bool warned_ = false;
};

}  // namespace hyperion::runtime

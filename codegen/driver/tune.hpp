// tune.hpp: measures the schedules of products on tensor cores, and keeps what it finds.
//
// The loop here knows nothing of GPUs: it is given a timer. Every time is put into the store before the next is taken,
// so whatever ends a run, the next one goes on from there.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codegen/cuda/schedule_table.hpp"
#include "codegen/driver/run.hpp"

namespace hyperion::codegen {

// A function with one product that the tensor cores do, and what is done to its sums.
struct TuneSubject {
  std::shared_ptr<const ir::Module> module;
  std::string function;
  TensorProblem problem;
  bool fast = false;  // compiled under the policy `fast`

  runtime::TuningProblem name() const { return problem_class(problem); }
  double flops() const;
};

// The product alone.
TuneSubject product_subject(const TensorProblem& problem);
// Those of a program, one of each class: its groups as it compiles them.
StatusOr<std::vector<TuneSubject>> subjects_of(const ir::Module& module, const std::string& function,
                                               const CudaTarget& target, bool fast);

struct Timing {
  double seconds = 0;  // of one run: median over samples, operands not in the cache where they do not fit several times
  double spread = 0;   // what lies between the samples' quartiles
  std::int64_t runs = 0;
};
using ScheduleTimer = std::function<StatusOr<Timing>(const TensorSchedule&)>;

// Compiles and runs the subject for about so many seconds a schedule. `site` is a GPU that `target` is for.
StatusOr<ScheduleTimer> device_timer(const TuneSubject& subject, const CudaTarget& target, const RunSite& site,
                                     double seconds);

struct TuneProgress {
  const runtime::TuningRecord& measured;
  const runtime::TuningRecord& best;  // so far
  int done = 0, count = 0;            // schedules
};

struct TuneOptions {
  int candidates = 10;  // schedules, in the order of the model's expectation; the best of them with other walks too
  bool again = false;   // what was measured before as well
  std::optional<double> peer_seconds;
  std::optional<std::chrono::steady_clock::time_point> deadline;  // no measurement begins after it, but a first one
  std::function<void(const TuneProgress&)> progress;
};

struct TuneResult {
  std::vector<runtime::TuningRecord> measured;  // the fastest first; what was measured before among them
  bool is_complete = true;                      // the deadline left nothing out
};
// A store that cannot be written to is an error: the time would be spent for nothing.
StatusOr<TuneResult> tune(const TuneSubject& subject, const CudaTarget& target, const ScheduleTimer& timer,
                          runtime::TuningStore& store, const TuneOptions& options = {});

}  // namespace hyperion::codegen

// tuning.hpp: what `hyperion tune` does, apart from the command line: problems as people write them, the run, and the
// store as a table and as source. Timers are given, so all of it works without a GPU.
#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "codegen/driver/tune.hpp"

namespace hyperion::tools {

// Beside the compile cache.
std::unique_ptr<runtime::TuningStore> open_tuning_store();

// "4096x1024x768" is rows, columns, depth; four numbers begin with batches, one is a cube. Throws for anything else.
codegen::TensorProblem parse_problem(const std::string& dtype, const std::string& layout, const std::string& shape);

struct TuneProblem {
  codegen::TuneSubject subject;
  std::optional<double> peer_seconds;
};

// A line a problem, and # begins a comment:
//
//   bf16 NT 4096x4096x1024
//   bf16 NN 12x1024x1024x64  peer 35.2     # microseconds of another library, to compare with
//
// Throws with the line that is none.
std::vector<TuneProblem> parse_problems(const std::string& text, const std::string& file);

struct TuneRun {
  codegen::CudaTarget target;
  std::function<StatusOr<codegen::ScheduleTimer>(const codegen::TuneSubject&)> make_timer;
  runtime::TuningStore& store;
  int candidates = 10;
  std::optional<double> budget_seconds;  // shared out evenly to the problems that are left
  bool again = false;
  bool shows_all = false;  // a line for every schedule
  bool is_live = false;    // a line is redrawn while a problem is measured
};
// A line for each problem as it is done. Throws before the first when one is nothing for the tensor cores, and later
// when one cannot be measured; what was measured by then stays.
void run_tuning(const std::vector<TuneProblem>& problems, const TuneRun& run, std::ostream& out);

// The best of each problem, by machine; then how much there is.
std::string tuning_table(runtime::TuningStore& store);
// schedules.def with what the store knows: `shipped` lines stay where it knows nothing. Plain products alone: with an
// epilogue, a product is tuned where it is used.
std::string exported_schedules(runtime::TuningStore& store, std::span<const codegen::ShippedSchedule> shipped);
// "3 schedules of 1 product measured, 24.0 KiB in PATH"
std::string tuning_summary(runtime::TuningStore& store);

}  // namespace hyperion::tools

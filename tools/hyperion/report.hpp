// report.hpp: what a finished training run says about itself: curve, times, JSON.
#pragma once

#include <string>

#include "runtime/profiler.hpp"
#include "tools/hyperion/run_file.hpp"

namespace hyperion::tools {

// Where the time of this process went, in seconds. `record` is tracing, differentiating and handing
// arguments over; `compile` includes finding compiled code on disk.
struct TimeSpent {
  double data = 0;
  double record = 0;
  double compile = 0;
  double run = 0;
  double checkpoint = 0;
  double total = 0;
};

// What must stay at zero once the first step is done.
struct SteadyState {
  std::uint64_t compiled = 0;            // functions compiled or loaded
  std::uint64_t system_allocations = 0;  // by the device
};

struct RunReport {
  int threads = 0;
  std::string device;
  std::int64_t parameters = 0;
  TimeSpent time;
  SteadyState after_first_step;
  std::uint64_t compiled = 0;   // functions
  std::uint64_t from_disk = 0;  // found on disk instead
  double images_per_second = 0;
};

std::string time_table(const RunReport& report);
// Losses with nine digits, which say every f32 exactly.
std::string json_report(const TrainOptions& options, const Progress& progress,
                        const RunReport& report);
// Where the trace is and how much of the run it holds.
std::string profile_summary(const std::string& path, const runtime::Capture& capture);
// Writes a file atomically, or throws.
void write_text(const std::string& path, const std::string& text);

}  // namespace hyperion::tools

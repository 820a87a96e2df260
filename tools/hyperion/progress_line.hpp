// progress_line.hpp: what a training run says while it runs.
//
// On a terminal one line is redrawn in place, at most ten times a second; elsewhere only finished
// lines are written, so that logs stay readable. Thread safety: one caller at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hyperion::tools {

class ProgressLine {
 public:
  // Steps already done before this process count as done, but not as this process's speed.
  ProgressLine(int epochs, std::int64_t total_steps, std::int64_t done_steps, std::int64_t batch);

  // After step number `step` (counted from 1) of epoch `epoch` (from 1).
  void step(int epoch, std::int64_t step, double loss, double accuracy);
  // Replaces the live line by a finished one.
  void finish(const std::string& line);

  double images_per_second() const;

 private:
  using Clock = std::chrono::steady_clock;

  const int epochs_;
  const std::int64_t total_steps_;
  const std::int64_t first_step_;
  const std::int64_t batch_;
  const bool live_;  // standard output is a terminal
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_{};
  std::int64_t done_ = 0;
  double smooth_loss_ = 0;  // steps jump about; the eye wants their trend
};

// "1:05", "12 s".
std::string duration_text(double seconds);
// "2026-01-31 12:00", local time.
std::string moment_text(std::int64_t seconds_since_1970);

}  // namespace hyperion::tools

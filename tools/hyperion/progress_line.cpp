#include "tools/hyperion/progress_line.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "ir/support/format.hpp"

namespace hyperion::tools {

ProgressLine::ProgressLine(int epochs, std::int64_t total_steps, std::int64_t done_steps,
                           std::int64_t batch)
    : epochs_(epochs),
      total_steps_(total_steps),
      first_step_(done_steps),
      batch_(batch),
      live_(isatty(STDOUT_FILENO) != 0),
      done_(done_steps) {}

double ProgressLine::images_per_second() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  return static_cast<double>((done_ - first_step_) * batch_) / std::max(seconds, 1e-9);
}

void ProgressLine::step(int epoch, std::int64_t step, double loss, double accuracy) {
  constexpr double kSmoothing = 0.05;
  constexpr auto kInterval = std::chrono::milliseconds(100);
  smooth_loss_ = done_ == first_step_ ? loss : smooth_loss_ + kSmoothing * (loss - smooth_loss_);
  done_ = step;
  const Clock::time_point now = Clock::now();
  if (!live_ || now - drawn_ < kInterval) return;
  drawn_ = now;
  constexpr int kBar = 20;
  const auto filled = static_cast<int>(kBar * step / total_steps_);
  const double speed = images_per_second();
  const double left = static_cast<double>((total_steps_ - step) * batch_) / std::max(speed, 1e-9);
  std::string bar;
  for (int k = 0; k < kBar; ++k) bar += k < filled ? "━" : "╌";
  const std::string line =
      format("\r\x1b[Kepoch {}/{} {} loss {:.4f}  accuracy {:.1f} %  {:.0f} images/s  {} left",
             epoch, epochs_, bar, smooth_loss_, 100 * accuracy, speed, duration_text(left));
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

void ProgressLine::finish(const std::string& line) {
  if (live_) std::fputs("\r\x1b[K", stdout);
  std::puts(line.c_str());
  std::fflush(stdout);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return format("{} s", whole);
  if (whole < 3600) return format("{}:{:02}", whole / 60, whole % 60);
  return format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string moment_text(std::int64_t seconds_since_1970) {
  const std::time_t time = seconds_since_1970;
  std::tm local{};
  localtime_r(&time, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
  return text;
}

}  // namespace hyperion::tools

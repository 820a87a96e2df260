#include "runtime/cuda/kernel_timer.hpp"

#include <cmath>
#include <utility>

namespace hyperion::runtime::cuda {
namespace {

// The thread may be descheduled between two readings of the clock; the closest of some counts.
constexpr int kAnchorTries = 4;

Ticks to_ticks(double seconds) {
  return static_cast<Ticks>(std::llround(seconds / seconds_per_tick()));
}

}  // namespace

StatusOr<std::shared_ptr<StreamEvent>> KernelTimer::take_event() {
  if (!free_.empty()) {
    std::shared_ptr<StreamEvent> event = std::move(free_.back());
    free_.pop_back();
    return event;
  }
  HYP_TRY(StreamEvent event, StreamEvent::create(stream_.context(), StreamEvent::Kind::timing));
  return std::make_shared<StreamEvent>(std::move(event));
}

StatusOr<TimedKernel> KernelTimer::make(ProfileLabel& label) {
  HYP_TRY(auto begin, take_event());
  HYP_TRY(auto end, take_event());
  return TimedKernel{&label, std::move(begin), std::move(end)};
}

void KernelTimer::give_back(std::vector<TimedKernel>& kernels) {
  for (TimedKernel& kernel : kernels) {
    free_.push_back(std::move(kernel.begin));
    free_.push_back(std::move(kernel.end));
  }
  kernels.clear();
}

StatusOr<Ticks> KernelTimer::drop_anchor() {
  for (std::shared_ptr<StreamEvent>* event : {&anchor_, &spare_}) {
    if (*event != nullptr) continue;
    HYP_TRY(*event, take_event());
  }
  HYP_TRY_VOID(stream_.synchronize());
  Ticks anchored = 0;
  Ticks smallest = ~Ticks{0};
  for (int i = 0; i < kAnchorTries; ++i) {
    const Ticks before = now_ticks();
    HYP_TRY_VOID(spare_->record(stream_));
    HYP_TRY_VOID(spare_->wait(stream_));
    const Ticks gap = now_ticks() - before;
    if (gap >= smallest) continue;
    smallest = gap;
    anchored = before + gap / 2;
    std::swap(anchor_, spare_);
  }
  return anchored;
}

StatusOr<> KernelTimer::collect(std::span<const TimedKernel> kernels, Profiler& profiler) {
  if (kernels.empty()) return {};
  HYP_TRY(const Ticks anchored, drop_anchor());
  const std::uint32_t track = profiler.add_track(stream_.context()->name());
  for (const TimedKernel& kernel : kernels) {
    HYP_TRY(const double after_end, anchor_->seconds_since(*kernel.end));
    HYP_TRY(const double lasted, kernel.end->seconds_since(*kernel.begin));
    const Ticks end = anchored - to_ticks(after_end);
    profiler.record(*kernel.label, end - to_ticks(lasted), end, track);
  }
  return {};
}

}  // namespace hyperion::runtime::cuda

// kernel_timer.hpp: when the kernels of a stream ran, by one event before and one after each.
//
// Events stand between kernels and cost the device about a microsecond each, so they are put there
// only while a profile is captured. Once the kernels are done, collect() gives the profiler a
// record of each, on the device's own track.
//
// Clocks. Two events tell the time between them, and nothing else. So collect() records one more,
// the anchor, on the idle stream, and reads the host's clock before and after: the anchor's moment
// is known to half of that, a few microseconds, and every kernel's by its distance from the anchor.
// A new anchor each time keeps distances short: the driver gives them as 32-bit floats.
//
// Thread safety: none.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/stream.hpp"
#include "runtime/profiler.hpp"

namespace hyperion::runtime::cuda {

struct TimedKernel {
  ProfileLabel* label = nullptr;
  std::shared_ptr<StreamEvent> begin;
  std::shared_ptr<StreamEvent> end;
};

class KernelTimer {
 public:
  explicit KernelTimer(Stream& stream) : stream_(stream) {}

  // Events to be recorded around the kernel; the last launch's, if they were given back.
  StatusOr<TimedKernel> make(ProfileLabel& label);
  void give_back(std::vector<TimedKernel>& kernels);

  // Waits for all work on the stream. REQUIRES: the events have been recorded on it.
  StatusOr<> collect(std::span<const TimedKernel> kernels, Profiler& profiler);

 private:
  StatusOr<std::shared_ptr<StreamEvent>> take_event();
  StatusOr<Ticks> drop_anchor();

  Stream& stream_;
  std::vector<std::shared_ptr<StreamEvent>> free_;
  std::shared_ptr<StreamEvent> anchor_;
  std::shared_ptr<StreamEvent> spare_;  // another anchor, which may turn out better
};

}  // namespace hyperion::runtime::cuda

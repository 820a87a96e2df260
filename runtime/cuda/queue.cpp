#include "runtime/cuda/queue.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime::cuda {
namespace {

// A graph of a training step holds some hundred kilobytes of the driver's memory.
constexpr std::size_t kMostKept = 16;

// So many runs, each at addresses that were never seen, are no start-up any more.
constexpr std::uint64_t kRestless = 64;

// Events that wait to be read. A loop that depends on data may launch any number of kernels.
constexpr std::size_t kMostTimed = 4096;

CUdeviceptr address(const std::byte* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

}  // namespace

StatusOr<> CudaQueue::copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (to == from || bytes == 0) return {};
  if (recording_ == nullptr) return stream_.copy(address(to), address(from), bytes);
  recording_->copy(address(to), address(from), bytes);
  return {};
}

StatusOr<bool> CudaQueue::read_flag(const std::byte* flag) {
  std::byte value{};
  HYP_TRY_VOID(staging_.download(stream_, std::span(&value, 1), address(flag)));
  return value != std::byte{0};
}

StatusOr<> CudaQueue::launch(const std::shared_ptr<Kernel>& kernel, const LaunchShape& shape,
                             const Arguments& arguments, ProfileLabel& label) {
  if (profiler_ != nullptr) return launch_timed(kernel, shape, arguments, label);
  if (recording_ == nullptr) {
    const NvtxRange range(label.title().c_str());
    return cuda::launch(stream_, *kernel, shape, arguments);
  }
  recording_->launch(kernel, shape, arguments);
  return {};
}

StatusOr<> CudaQueue::launch_timed(const std::shared_ptr<Kernel>& kernel, LaunchShape shape,
                                   const Arguments& arguments, ProfileLabel& label) {
  shape.overlaps_previous = false;  // an event stands between them
  HYP_TRY(const TimedKernel timed, timer_.make(label));
  timed_.push_back(timed);
  if (recording_ != nullptr) {
    recording_->mark(timed.begin);
    recording_->launch(kernel, shape, arguments);
    recording_->mark(timed.end);
    return {};
  }
  const NvtxRange range(label.title().c_str());
  HYP_TRY_VOID(timed.begin->record(stream_));
  HYP_TRY_VOID(cuda::launch(stream_, *kernel, shape, arguments));
  HYP_TRY_VOID(timed.end->record(stream_));
  return timed_.size() < kMostTimed ? StatusOr<>() : finish();
}

StatusOr<> CudaQueue::finish() {
  HYP_TRY_VOID(stream_.synchronize());
  if (profiler_ == nullptr) return {};
  HYP_TRY_VOID(timer_.collect(timed_, *profiler_));
  timer_.give_back(timed_);
  return {};
}

void CudaQueue::time_kernels(Profiler* profiler) {
  profiler_ = profiler;
  timed_.clear();  // of an execution that failed
}

StatusOr<> CudaQueue::repeat(std::span<const std::uintptr_t> key,
                             const std::function<StatusOr<>()>& work) {
  Kept& kept = kept_for(key);
  if (kept.replay != nullptr) return run(kept);
  if (std::exchange(kept.last_use, ++uses_) == 0) {
    if (++new_keys_in_a_row_ == kRestless) {
      remark_ = format(
          "launched one by one, without a graph: {} runs in a row had buffers at "
          "addresses not seen before",
          kRestless);
    }
    return work();
  }
  CommandList commands;
  recording_ = &commands;
  StatusOr<> recorded = work();
  recording_ = nullptr;
  kept.timed = std::exchange(timed_, {});
  HYP_TRY_VOID(recorded);
  HYP_TRY(kept.replay, Replay::create(stream_.context(), std::move(commands)));
  new_keys_in_a_row_ = 0;
  remark_ = kept.replay->fallback_reason();
  return run(kept);
}

// The events of a graph are recorded anew each time it runs, so they are read at once.
StatusOr<> CudaQueue::run(Kept& kept) {
  HYP_TRY_VOID(kept.replay->run(stream_));
  return kept.is_timed ? timer_.collect(kept.timed, *profiler_) : StatusOr<>();
}

CudaQueue::Kept& CudaQueue::kept_for(std::span<const std::uintptr_t> key) {
  const bool is_timed = profiler_ != nullptr;
  const auto found = std::ranges::find_if(kept_, [&](const Kept& each) {
    return each.is_timed == is_timed && std::ranges::equal(each.key, key);
  });
  if (found != kept_.end()) {
    if (found->replay != nullptr) found->last_use = ++uses_;
    return *found;
  }
  if (kept_.size() == kMostKept) {
    kept_.erase(std::ranges::min_element(kept_, {}, &Kept::last_use));
  }
  return kept_.emplace_back(Kept{{key.begin(), key.end()}, is_timed});
}

}  // namespace hyperion::runtime::cuda

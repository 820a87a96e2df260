// queue.hpp: one executor's work on a GPU, in the order of the device's compute stream.
//
// Work that is repeated with the same addresses becomes a CUDA graph: seen for the first time it is
// simply done, the second time it is recorded and made into a graph, from then on the graph is run.
// In a steady training loop outputs come from the allocator's cache and land at a few addresses in
// turn, so a few graphs for each function are kept, the least recently used goes.
//
// While kernels are timed, graphs are made too, with an event before and after each kernel: a
// second graph for each key. Launching one by one instead would need no second graph, but then
// kernels of a few microseconds wait for the host, and would be reported as slow as their launches.
//
// Thread safety: as DeviceQueue: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/backend.hpp"
#include "runtime/cuda/graph.hpp"
#include "runtime/cuda/kernel_timer.hpp"
#include "runtime/cuda/staging.hpp"

namespace hyperion::runtime::cuda {

class CudaQueue final : public DeviceQueue {
 public:
  // Both outlive the queue.
  CudaQueue(Stream& stream, Staging& staging)
      : stream_(stream), staging_(staging), timer_(stream) {}

  StatusOr<> copy(std::byte* to, const std::byte* from, std::size_t bytes) override;
  StatusOr<bool> read_flag(const std::byte* flag) override;
  StatusOr<> finish() override;
  StatusOr<> repeat(std::span<const std::uintptr_t> key,
                    const std::function<StatusOr<>()>& work) override;
  std::string repeat_remark() const override { return remark_; }
  void time_kernels(Profiler* profiler) override;

  StatusOr<> launch(const std::shared_ptr<Kernel>& kernel, const LaunchShape& shape,
                    const Arguments& arguments, ProfileLabel& label);

 private:
  struct Kept {
    std::vector<std::uintptr_t> key;
    bool is_timed = false;
    std::unique_ptr<Replay> replay;  // null: seen once
    std::vector<TimedKernel> timed;  // whose events are in the graph
    std::uint64_t last_use = 0;
  };
  Kept& kept_for(std::span<const std::uintptr_t> key);
  StatusOr<> run(Kept& kept);
  StatusOr<> launch_timed(const std::shared_ptr<Kernel>& kernel, LaunchShape shape,
                          const Arguments& arguments, ProfileLabel& label);

  Stream& stream_;
  Staging& staging_;
  CommandList* recording_ = nullptr;  // not null: commands go there
  Profiler* profiler_ = nullptr;      // not null: kernels are timed for it
  KernelTimer timer_;
  std::vector<TimedKernel> timed_;  // launched or recorded, and not collected
  std::vector<Kept> kept_;
  std::uint64_t uses_ = 0;
  std::uint64_t new_keys_in_a_row_ = 0;
  std::string remark_;
};

}  // namespace hyperion::runtime::cuda

#include "runtime/code_loader.hpp"

namespace hyperion::runtime {
namespace {

// Forking costs a few microseconds when workers are awake and tens when they sleep. Below about 20
// us of work on one core, which is roughly 3 MFLOP or 400 KB, it does not pay.
constexpr std::uint64_t kForkFlops = 3'000'000;
constexpr std::uint64_t kForkBytes = 400'000;

bool is_worth_forking(const Launch& launch) {
  if (launch.tiles < 2) return false;
  const bool unknown = launch.flops == 0 && launch.bytes == 0;
  return unknown || launch.flops >= kForkFlops || launch.bytes >= kForkBytes;
}

// A function of the host's kernel ABI, over all its tiles.
class HostKernel final : public LoadedKernel {
 public:
  HostKernel(KernelFunction* function, const Launch& launch, ProfileLabel& label)
      : function_(function),
        tiles_(launch.tiles),
        is_worth_forking_(is_worth_forking(launch)),
        label_(label) {}

  StatusOr<> run(std::span<void* const> buffers, LaunchContext& context) override {
    const NvtxRange range(label_.title().c_str());
    const Ticks start = now_ticks();
    if (is_worth_forking_ && context.pool.threads() > 1) {
      ++context.forks;
      context.pool.parallel_for(
          tiles_, [&](std::int64_t begin, std::int64_t end, int worker) noexcept {
            function_(buffers.data(), begin, end,
                      context.scratch + static_cast<std::size_t>(worker) * context.scratch_stride);
          });
    } else if (tiles_ > 0) {
      function_(buffers.data(), 0, tiles_, context.scratch);
    }
    context.profiler.record(label_, start, now_ticks());
    return {};
  }

 private:
  KernelFunction* const function_;
  const std::int64_t tiles_;
  const bool is_worth_forking_;
  ProfileLabel& label_;
};

}  // namespace

StatusOr<std::unique_ptr<LoadedKernel>> LoadedCode::bind(const Launch& launch, DeviceQueue&,
                                                         Profiler& profiler) {
  KernelFunction* function = symbol(launch.kernel);
  if (function == nullptr) return nullptr;
  return std::make_unique<HostKernel>(function, launch, label_of(launch, profiler));
}

ProfileLabel& label_of(const Launch& launch, Profiler& profiler) {
  return profiler.label({.name = launch.label.empty() ? launch.kernel : launch.label,
                         .category = "launch",
                         .location = launch.location,
                         .flops = launch.flops,
                         .bytes = launch.bytes,
                         .unit = launch.unit});
}

}  // namespace hyperion::runtime

// contraction_testing.hpp: compiles a contraction and runs it, for tests and benchmarks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "codegen/llvm/contraction.hpp"
#include "ir/support/check.hpp"
#include "runtime/cpu/thread_pool.hpp"

namespace hyperion::codegen {

struct AlignedDelete {
  void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{4096}); }
};
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;

inline AlignedBytes aligned_bytes(std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
  return AlignedBytes(new (std::align_val_t{4096}) std::byte[size]);
}

// The launches of a plan, loaded. run() takes the argument table; the workspace entry is filled in
// here.
class RunnableContraction {
 public:
  RunnableContraction(ContractionPlan plan, LoadedCode code, int threads, int workspace_buffer)
      : plan_(std::move(plan)), code_(std::move(code)), workspace_buffer_(workspace_buffer) {
    std::int64_t scratch = 0;
    for (const KernelLaunch& launch : plan_.launches) {
      auto function = code_.function<TileFunction>(launch.symbol);
      HYP_CHECK(function.has_value(), "every launch has its function");
      functions_.push_back(*function);
      scratch = std::max(scratch, launch.scratch_bytes);
    }
    for (int t = 0; t < threads; ++t) scratch_.push_back(aligned_bytes(scratch));
    workspace_ = aligned_bytes(plan_.workspace_bytes);
  }

  const ContractionPlan& plan() const { return plan_; }

  // On the calling thread, in pieces of `piece` tiles, from the last to the first.
  void run_backwards(std::vector<void*> buffers, std::int64_t piece) {
    add_workspace(buffers);
    for (std::size_t l = 0; l < functions_.size(); ++l) {
      for (std::int64_t end = plan_.launches[l].tiles; end > 0; end -= piece) {
        functions_[l](buffers.data(), std::max<std::int64_t>(end - piece, 0), end,
                      scratch_[0].get());
      }
    }
  }

  void run(std::vector<void*>& buffers, runtime::ThreadPool& pool) {
    add_workspace(buffers);
    for (std::size_t l = 0; l < functions_.size(); ++l) {
      TileFunction* function = functions_[l];
      pool.parallel_for(
          plan_.launches[l].tiles, [&](std::int64_t begin, std::int64_t end, int worker) noexcept {
            function(buffers.data(), begin, end, scratch_[static_cast<std::size_t>(worker)].get());
          });
    }
  }

 private:
  void add_workspace(std::vector<void*>& buffers) const {
    const auto index = static_cast<std::size_t>(workspace_buffer_);
    if (buffers.size() <= index) buffers.resize(index + 1);
    buffers[index] = workspace_.get();
  }

  ContractionPlan plan_;
  LoadedCode code_;
  int workspace_buffer_;
  std::vector<TileFunction*> functions_;
  std::vector<AlignedBytes> scratch_;
  AlignedBytes workspace_;
};

inline StatusOr<RunnableContraction> compile_contraction(const ContractionSpec& spec,
                                                         const ContractionHooks& hooks,
                                                         const ContractionSchedule& schedule,
                                                         const CpuTarget& target, int threads = 1) {
  IrModule module("contraction", target);
  HYP_TRY(ContractionPlan plan, emit_contraction(module, spec, hooks, schedule));
  HYP_TRY(const ObjectBytes object, compile_object(module, {.reduce_loop_strength = false}));
  HYP_TRY(LoadedCode code, load_object(object));
  return RunnableContraction(std::move(plan), std::move(code), threads, spec.workspace_buffer);
}

}  // namespace hyperion::codegen

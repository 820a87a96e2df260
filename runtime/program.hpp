// program.hpp: a module made ready to run by one executor: symbols resolved, places for pointers
// reserved. Private to the executor.
//
// A plan is active at most once at any time, since plans only enter plans of a smaller index. So
// each has one fixed place for the pointers it was entered with, each loop one for its state, and
// running allocates nothing.
//
// Thread safety: none; the executor runs one plan at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/code_loader.hpp"
#include "runtime/cpu/thread_pool.hpp"
#include "runtime/executor.hpp"
#include "runtime/module.hpp"
#include "runtime/profiler.hpp"

namespace hyperion::runtime {

using TimePoint = std::chrono::steady_clock::time_point;

// What one run is given besides pointers. Counters are added to.
struct RunContext {
  LaunchContext launch;
  TimePoint deadline = TimePoint::max();
  std::span<const std::shared_ptr<LaunchObserver>> observers = {};
  std::uint64_t launches = 0;
};

class Program {
 public:
  // REQUIRES: module->verify() succeeds; `queue` and `profiler` outlive the program. `loader` may
  // be null when the module has no code.
  static StatusOr<std::unique_ptr<Program>> load(std::shared_ptr<const Module> module,
                                                 const Device& device, DeviceQueue& queue,
                                                 CodeLoader* loader, Profiler& profiler);

  const Module& module() const { return *module_; }
  std::uint64_t scratch_bytes() const { return scratch_bytes_; }  // for each thread, of all plans

  // Fill these, one pointer for each argument and output, then run(). Arguments are only read
  // unless donated.
  std::span<std::byte*> arguments(std::uint32_t plan) { return plans_[plan].arguments; }
  std::span<std::byte*> outputs(std::uint32_t plan) { return plans_[plan].outputs; }
  StatusOr<> run(std::uint32_t plan, std::byte* arena, RunContext& context);
  // Whether what a plan does follows from the pointers alone: no branch or loop depends on data.
  bool is_fixed(std::uint32_t plan) const { return plans_[plan].is_fixed; }

 private:
  // One instruction with what loading found out about it.
  struct Step {
    const Instruction* instruction;
    std::unique_ptr<LoadedKernel> kernel = nullptr;  // of a Launch
    // Of a loop: where each carried value is, and where its next version goes.
    std::vector<std::byte*> current = {};
    std::vector<std::byte*> next = {};
  };
  struct PlanState {
    std::vector<Step> steps;
    std::vector<std::byte*> arguments;
    std::vector<std::byte*> outputs;
    std::byte* arena = nullptr;
    bool is_fixed = true;
  };

  Program(std::shared_ptr<const Module> module, DeviceQueue& queue)
      : module_(std::move(module)), queue_(queue) {}
  StatusOr<> place_constants(const Device& device);
  StatusOr<std::unique_ptr<LoadedKernel>> bind(const Launch& launch, Profiler& profiler) const;
  StatusOr<Step> make_step(const Instruction& instruction, Profiler& profiler);
  bool is_fixed(const Instruction& instruction) const;

  std::byte* resolve(const PlanState& plan, const Slot& slot) const;
  StatusOr<> run_steps(PlanState& plan, RunContext& context);
  StatusOr<> run_launch(PlanState& plan, Step& step, const Launch& launch, RunContext& context);
  StatusOr<> run_entry(PlanState& caller, std::uint32_t callee, const std::vector<Slot>& arguments,
                       const std::vector<Slot>& outputs, const Slot& frame, RunContext& context);
  StatusOr<> run_while(PlanState& plan, Step& step, const WhileLoop& loop, RunContext& context);
  StatusOr<> run_scan(PlanState& plan, Step& step, const Scan& scan, RunContext& context);
  void begin_carried(const PlanState& plan, const std::vector<Carried>& carried, Step& step) const;
  void advance_carried(const PlanState& plan, const std::vector<Carried>& carried,
                       Step& step) const;
  StatusOr<> finish_carried(const PlanState& plan, const std::vector<Carried>& carried,
                            Step& step) const;

  std::shared_ptr<const Module> module_;
  DeviceQueue& queue_;
  std::unique_ptr<LoadedCode> code_;  // null when the module has none
  std::vector<std::byte*> constants_;
  std::vector<Buffer> constant_buffers_;  // where the device cannot read the host's
  std::vector<PlanState> plans_;
  std::vector<void*> launch_buffers_;  // as large as the largest launch; in use only during one
  std::uint64_t scratch_bytes_ = 0;
};

}  // namespace hyperion::runtime

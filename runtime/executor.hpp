// executor.hpp: runs the functions of loaded modules on a cluster.
//
//   auto executor = Executor::create(cluster, {module});
//   auto step = executor->find("step");
//   auto run = executor->execute(*step, arguments);       // returns at once
//   run->done.wait();                                      // or read an output, which waits by
//   itself
//
// Order. Executions of one executor run one after another in the order of the calls; a value that
// another executor is still making is waited for. Nothing else is ordered.
//
// Errors. What is wrong with a call (types, memory) is returned by it. What goes wrong later fails
// the `done` event and with it all outputs, and whoever reads them or passes them on gets that same
// Status. Other executions are untouched.
//
// Memory. The arena and the threads' scratch are allocated at the first execution that needs them
// and kept; outputs come from the device's caching allocator, or take over the memory of donated
// arguments (see buffer.hpp). So from the second execution on, steady shapes ask the system for
// nothing.
//
// Arguments that are not dense or not 64-byte aligned are copied first, and counted.
//
// Thread safety: all functions. Destruction waits for executions in flight.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/support/ids.hpp"
#include "ir/support/status.hpp"
#include "runtime/cluster.hpp"
#include "runtime/event.hpp"
#include "runtime/memory/buffer.hpp"
#include "runtime/module.hpp"

namespace hyperion::runtime {

using FunctionId = Id<struct FunctionTag>;  // of one executor

struct ExecuteOptions {
  std::span<const Event> wait_for = {};
  // Counts from the call. Kernels are not interrupted; it is checked before the start, and between
  // steps of loops.
  Duration timeout = Duration::max();
  std::string_view call_location = {};  // "train.cpp:41:12": goes into errors
};

struct Execution {
  std::vector<BufferView> outputs;  // ready when `done` is
  Event done;
};

// What an observer sees of one launch.
struct LaunchView {
  const Launch& launch;
  std::span<void* const> buffers;  // resolved; as many as launch.buffers
};

// Called around every launch, on the executing thread. An error from after() ends the execution
// with it: that is how a search for the first NaN stops at its kernel. Must not call the executor.
class LaunchObserver {
 public:
  virtual ~LaunchObserver() = default;
  virtual void before(const LaunchView&) {}
  virtual StatusOr<> after(const LaunchView&) { return {}; }
};

struct ExecutorStatistics {
  std::uint64_t executions = 0;
  std::uint64_t failures = 0;
  std::uint64_t launches = 0;
  std::uint64_t forks = 0;               // launches that were spread over threads
  std::uint64_t system_allocations = 0;  // by the device since this executor was made
  std::uint64_t argument_copies = 0;     // arguments that had to be made dense
  std::uint64_t donations_used = 0;      // outputs in the memory of an argument
  std::uint64_t donations_missed = 0;    // donated, but wrapped, sliced or still read elsewhere
  std::uint64_t workspace_bytes = 0;     // arena and scratch held
};

class Executor {
 public:
  // Loads the code. failed_precondition without a code loader, not_found for a missing symbol,
  // already_exists when two functions have the same name.
  static StatusOr<std::unique_ptr<Executor>> create(
      const DeviceCluster& cluster, std::vector<std::shared_ptr<const Module>> modules);
  ~Executor();

  std::optional<FunctionId> find(std::string_view function) const;
  const Function& function(FunctionId id) const;
  std::size_t function_count() const;

  StatusOr<Execution> execute(FunctionId function, std::span<const BufferView> arguments,
                              const ExecuteOptions& options = {});

  // The same on the calling thread, after everything queued before: the fast path when the result
  // is wanted at once. `outputs` is replaced; its capacity is reused.
  StatusOr<> execute_now(FunctionId function, std::span<const BufferView> arguments,
                         std::vector<BufferView>& outputs, const ExecuteOptions& options = {});

  // Waits until nothing is in flight.
  StatusOr<> drain(Duration timeout = Duration::max());

  // Gives arena and scratch back until the next execution.
  void release_workspace();

  void add_observer(std::shared_ptr<LaunchObserver> observer);
  void remove_observer(const LaunchObserver* observer);

  ExecutorStatistics statistics() const;

 private:
  class State;
  explicit Executor(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace hyperion::runtime

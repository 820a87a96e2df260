// code_loader.hpp: how object code becomes callable, without the runtime knowing who made it.
//
// Loading gives LoadedCode, and binding one of a plan's launches to it gives a LoadedKernel, which
// runs that launch on whatever buffers it is given.
//
// For the host, code generation stands on a higher floor and registers a CodeLoader with the
// Instance (Instance::set_code_loader); it provides symbol(), and bind() adds the loop over tiles.
// Other kinds of device bring a loader of their own (Backend::code_loader). Loading runs no code of
// the object; running a kernel does. Thread safety: load(), symbol() and bind() from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/support/status.hpp"
#include "runtime/backend.hpp"
#include "runtime/cpu/thread_pool.hpp"
#include "runtime/plan.hpp"
#include "runtime/profiler.hpp"

namespace hyperion::runtime {

// The kernel ABI (C calling convention, never throws). `buffers` is the launch's slot list,
// resolved; tiles are the iterations of the kernel's outermost parallel loop, and any thread may
// run any range of them, each with `scratch` memory of its own (64-byte aligned, as large as the
// launch says, contents undefined).
using KernelFunction = void(void* const* buffers, std::int64_t tile_begin, std::int64_t tile_end,
                            void* scratch);

// What a launch may use besides its buffers. Counters are added to.
struct LaunchContext {
  ThreadPool& pool;
  Profiler& profiler;
  std::byte* scratch = nullptr;    // of all threads
  std::size_t scratch_stride = 0;  // between threads
  std::uint64_t forks = 0;
};

// One launch of a plan, ready to run. Thread safety: none.
class LoadedKernel {
 public:
  virtual ~LoadedKernel() = default;
  // REQUIRES: as many buffers as the launch has. May return before the work is done, in the order
  // of the queue that it was bound to.
  virtual StatusOr<> run(std::span<void* const> buffers, LaunchContext& context) = 0;
};

// Code in memory, executable while this lives.
class LoadedCode {
 public:
  virtual ~LoadedCode() = default;
  // Of the host's kernel ABI; null when absent.
  virtual KernelFunction* symbol(const std::string& name) = 0;
  // Null when the code lacks the kernel. The launch, the queue and the profiler outlive the result.
  virtual StatusOr<std::unique_ptr<LoadedKernel>> bind(const Launch& launch, DeviceQueue& queue,
                                                       Profiler& profiler);
};

// What profiles say about a launch, wherever it runs.
ProfileLabel& label_of(const Launch& launch, Profiler& profiler);

class CodeLoader {
 public:
  virtual ~CodeLoader() = default;
  // The objects of one module, linked as one. data_loss when some bytes are no object, incompatible
  // when this machine cannot run them.
  virtual StatusOr<std::unique_ptr<LoadedCode>> load(
      std::span<const std::span<const std::byte>> objects) = 0;
};

}  // namespace hyperion::runtime

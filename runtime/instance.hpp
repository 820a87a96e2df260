// instance.hpp: the root of the runtime: which devices exist, and who turns object code into
// functions.
//
// There are no globals: several instances may coexist in a process. Everything made from an
// instance keeps what it needs alive, so the order of destruction does not matter. Thread safety:
// all functions.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/code_loader.hpp"
#include "runtime/device.hpp"
#include "runtime/profiler.hpp"

namespace hyperion::runtime {

struct InstanceOptions {
  int threads = 0;                 // of the CPU device; 0: one for each core this process may use
  std::uint64_t memory_limit = 0;  // bytes; 0: none
};

class Instance {
 public:
  static std::shared_ptr<Instance> create(const InstanceOptions& options = {});

  std::span<const Device> devices() const { return devices_; }

  // Everything that is compiled or run for this instance is recorded here.
  Profiler& profiler() { return profiler_; }

  // Code generation registers itself here; without it, modules with code cannot be loaded.
  void set_code_loader(std::shared_ptr<CodeLoader> loader);
  std::shared_ptr<CodeLoader> code_loader() const;  // null when none is registered

 private:
  explicit Instance(const InstanceOptions& options);

  const std::vector<Device> devices_;
  Profiler profiler_;
  mutable std::mutex mutex_;
  std::shared_ptr<CodeLoader> code_loader_;  // guarded by mutex_
};

}  // namespace hyperion::runtime

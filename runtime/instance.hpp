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
#include <string_view>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/code_loader.hpp"
#include "runtime/device.hpp"
#include "runtime/profiler.hpp"

namespace hyperion::runtime {

struct InstanceOptions {
  int threads = 0;                 // of the CPU device; 0: one for each core this process may use
  std::uint64_t memory_limit = 0;  // of each device, in bytes; 0: none
};

class Instance {
 public:
  static std::shared_ptr<Instance> create(const InstanceOptions& options = {});

  // The devices that every instance has: the host.
  std::span<const Device> devices() const { return devices_; }
  // Any device by name, as "cuda:1". Opened when first asked for, then always the same.
  StatusOr<Device> device(std::string_view name);
  // A device that was made elsewhere, known to device() from now on. REQUIRES: none of that name
  // is.
  void add_device(Device device);
  bool owns(const Device& device) const;

  // Everything that is compiled or run for this instance is recorded here.
  Profiler& profiler() { return profiler_; }

  // Code generation registers itself here; without it, modules with code cannot be loaded.
  void set_code_loader(std::shared_ptr<CodeLoader> loader);
  std::shared_ptr<CodeLoader> code_loader() const;  // null when none is registered

 private:
  explicit Instance(const InstanceOptions& options);

  const std::vector<Device> devices_;
  const std::uint64_t memory_limit_;  // of each device
  Profiler profiler_;
  mutable std::mutex mutex_;
  std::shared_ptr<CodeLoader> code_loader_;  // this and the next guarded by mutex_
  std::vector<Device> opened_;               // besides devices_
};

}  // namespace hyperion::runtime

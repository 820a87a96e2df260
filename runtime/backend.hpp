// backend.hpp: what a kind of device must be able to do, and nothing else knows how.
//
//   Backend   one device: its memory, copies to and from the host, its code
//   DeviceQueue      the order in which one executor's work happens on it
//
// The host's own backend (cpu/host_backend.hpp) does everything at once, in the caller's thread. A
// GPU's puts work on a stream and returns; then "done" means "in order", and whoever needs the
// bytes on the host waits: download(), read_flag(), finish().
//
// All queues of a device, and its copies, are ordered like one stream: what was put there first
// happens first. So memory may be released and handed out again while work with it is under way.
//
// Thread safety: Backend from any thread; a DeviceQueue belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "ir/support/status.hpp"
#include "runtime/memory/allocator.hpp"

namespace hyperion::runtime {

class CodeLoader;
class Profiler;

class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;

  // The ranges do not overlap, or are the same.
  virtual StatusOr<> copy(std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  // Waits for everything before, then reads one byte: 0 or 1.
  virtual StatusOr<bool> read_flag(const std::byte* flag) = 0;
  // Waits for everything before.
  virtual StatusOr<> finish() = 0;

  // Does `work`, whose launches and copies follow from `key` alone and which never reads a flag. A
  // queue that has seen the same key may run what it kept of the work instead.
  virtual StatusOr<> repeat(std::span<const std::uintptr_t> key,
                            const std::function<StatusOr<>()>& work) {
    static_cast<void>(key);
    return work();
  }
  // Why repeated work is not run as one piece; empty when it is, or where it makes no difference.
  virtual std::string repeat_remark() const { return {}; }

  // From now on a profiler is told when kernels ran: at the latest by finish(). Null: none is. For
  // queues that return before work is done; where a launch does it, the launch is timed by itself.
  virtual void time_kernels(Profiler* profiler) { static_cast<void>(profiler); }
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual MemorySource& memory() = 0;
  // Returns when `from` may change again.
  virtual StatusOr<> upload(std::byte* to, std::span<const std::byte> from) = 0;
  // Returns when the bytes are there, after all work that was put on the device before.
  virtual StatusOr<> download(std::span<std::byte> to, const std::byte* from) = 0;

  virtual std::unique_ptr<DeviceQueue> make_queue() = 0;
  // Null: the instance's loader, which code generation has registered.
  virtual CodeLoader* code_loader() = 0;

  // For people: "NVIDIA H200, sm_90a, 139.8 GiB, ...".
  virtual std::string description() const = 0;
};

}  // namespace hyperion::runtime

// device.hpp: a piece of hardware that runs kernels.
//
// A Device is a cheap shared handle. Its kind is an open string ("cpu"), so that plug-ins can add
// kinds. It owns an allocator and a thread pool, which live as long as any handle, buffer or
// executor that refers to them. Thread safety: all functions; a device is immutable except for its
// memory statistics.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "runtime/cpu/host_info.hpp"
#include "runtime/cpu/thread_pool.hpp"
#include "runtime/memory/allocator.hpp"

namespace hyperion::runtime {

struct CpuOptions {
  int ordinal = 0;
  int threads = 0;                 // 0: one for each core this process may use
  std::uint64_t memory_limit = 0;  // 0: none
};

class Device {
 public:
  static Device make_cpu(const CpuOptions& options = {});

  std::string_view kind() const { return state_->kind; }
  int ordinal() const { return state_->ordinal; }
  std::string name() const;  // "cpu:0"
  const HostInfo& info() const { return host_info(); }
  int threads() const { return state_->pool.threads(); }
  MemoryStatistics memory() const { return state_->allocator.statistics(); }

  Allocator& allocator() const { return state_->allocator; }
  ThreadPool& thread_pool() const { return state_->pool; }

  friend bool operator==(const Device&, const Device&) = default;

 private:
  struct State {
    State(std::string device_kind, const CpuOptions& options);
    const std::string kind;
    const int ordinal;
    Allocator allocator;
    ThreadPool pool;
  };
  explicit Device(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace hyperion::runtime

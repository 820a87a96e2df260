// device.hpp: a piece of hardware that runs kernels.
//
// A Device is a cheap shared handle. Its kind is an open string ("cpu", "cuda"), so that plug-ins
// can add kinds: what differs between kinds is behind its Backend (backend.hpp). It owns an
// allocator and a thread pool, which live as long as any handle, buffer or executor that refers to
// them. Thread safety: all functions; a device is immutable except for its memory statistics.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "runtime/backend.hpp"
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
  // A device of another kind.
  static Device make(std::string kind, int ordinal, std::unique_ptr<Backend> backend,
                     std::uint64_t memory_limit = 0);

  std::string_view kind() const { return state_->kind; }
  int ordinal() const { return state_->ordinal; }
  std::string name() const;  // "cpu:0"
  const HostInfo& info() const { return host_info(); }
  int threads() const { return state_->pool.threads(); }
  MemoryStatistics memory() const { return state_->allocator.statistics(); }

  // One line for people.
  std::string description() const { return state_->backend->description(); }
  // Whether the processor may touch this device's memory.
  bool is_host() const { return state_->backend->memory().is_host(); }

  Backend& backend() const { return *state_->backend; }
  Allocator& allocator() const { return state_->allocator; }
  ThreadPool& thread_pool() const { return state_->pool; }

  friend bool operator==(const Device&, const Device&) = default;

 private:
  struct State {
    State(std::string device_kind, int number, std::unique_ptr<Backend> device_backend,
          std::uint64_t memory_limit, int threads);
    const std::string kind;
    const int ordinal;
    const std::unique_ptr<Backend> backend;  // outlives the allocator
    Allocator allocator;
    ThreadPool pool;
  };
  explicit Device(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace hyperion::runtime

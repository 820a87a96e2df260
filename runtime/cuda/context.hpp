// context.hpp: one GPU as this process uses it.
//
// Context holds the device's primary context, the one that other libraries in the process (PyTorch,
// JAX, the CUDA runtime) use too. The driver wants it current on the calling thread; enter() does
// that for a scope and puts back what was there before, so Hyperion never leaves its mark on a
// user's thread.
//
// Failure is sticky on a GPU: after a kernel's illegal access every call fails. The first such
// error is kept; from then on enter() fails with cuda.device_lost and quotes it. Other devices go
// on.
//
// The ledger says who holds device memory, for messages: each holder has a name and its bytes.
//
// Thread safety: all functions.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/driver.hpp"

namespace hyperion::runtime::cuda {

struct DeviceProperties {
  int ordinal = 0;
  std::string name;    // "NVIDIA H200"
  std::string bus_id;  // "0000:18:00.0"
  int compute_major = 0;
  int compute_minor = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t l2_bytes = 0;
  int multiprocessors = 0;
  int clock_khz = 0;
  int memory_clock_khz = 0;
  int memory_bus_bits = 0;
  int warp_threads = 32;
  int block_threads = 0;           // most in one block
  int multiprocessor_threads = 0;  // most at once
  int multiprocessor_registers = 0;
  int block_shared_bytes = 0;  // most that a kernel can ask for
  int multiprocessor_shared_bytes = 0;
  bool maps_memory = false;
  int driver_version = 0;  // 13000

  // What NVRTC calls it: "sm_90a" for Hopper, whose tensor instructions exist only there, else
  // "sm_80".
  std::string architecture() const;
};

// Every GPU of this machine; no_device when there is none.
StatusOr<std::vector<DeviceProperties>> list_devices(Driver& driver);

class MemoryLedger {
 public:
  void set(const std::string& holder, std::uint64_t bytes);  // 0: holds nothing any more
  std::uint64_t total() const;
  // Largest first: "pool 3.0 GiB, arena of step 1.2 GiB"; "nothing" when empty.
  std::string text() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> holders_;  // guarded by mutex_
};

class Context {
 public:
  static StatusOr<std::shared_ptr<Context>> create(std::shared_ptr<Driver> driver, int ordinal);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Driver& driver() const { return *driver_; }
  const DeviceProperties& properties() const { return properties_; }
  std::string name() const;  // "cuda:0"

  // The context is current on this thread while it lives.
  class [[nodiscard]] Current {
   public:
    Current(Current&& other) noexcept : driver_(std::exchange(other.driver_, nullptr)) {}
    Current& operator=(Current&&) = delete;
    ~Current();

   private:
    friend class Context;
    explicit Current(Driver* driver) : driver_(driver) {}
    Driver* driver_;  // null: it was current before, nothing to put back
  };
  StatusOr<Current> enter();
  // For releasing: works on a lost device too, and a failure is only logged.
  Current enter_to_release() noexcept;

  // The outcome of a call on this device. A fatal one marks the device as lost and is
  // cuda.kernel_fault; `where` says which kernels may have caused it.
  StatusOr<> check(CUresult result, std::string_view call, std::string_view where = {});
  bool is_lost() const { return lost_.load(std::memory_order_acquire); }

  StatusOr<> synchronize();

  struct Memory {
    std::uint64_t free = 0;
    std::uint64_t total = 0;
  };
  StatusOr<Memory> memory();
  MemoryLedger& ledger() { return ledger_; }
  // "139.8 GiB in all, 1.1 GiB free; held by pool 120.0 GiB, by CUDA and others 18.7 GiB"
  std::string memory_text() noexcept;
  Status out_of_memory(std::uint64_t bytes, std::string_view purpose) noexcept;

 private:
  Context(std::shared_ptr<Driver> driver, DeviceProperties properties, CUdevice device,
          CUcontext context);

  const std::shared_ptr<Driver> driver_;
  const DeviceProperties properties_;
  const CUdevice device_;
  const CUcontext context_;
  MemoryLedger ledger_;
  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  Status first_failure_;  // guarded by mutex_; meaningful once lost_
};

// "3.0 GiB"
std::string readable_bytes(std::uint64_t bytes);

}  // namespace hyperion::runtime::cuda

// allocator.hpp: device memory that is asked for once and reused.
//
// Sizes are rounded up to eight classes an octave (at most 12.5 % waste); a released block waits in
// its class for the next request. A training step asks for the same sizes again and again, so after
// the first step every request is a cache hit: no system call, no page fault on fresh memory (first
// touch costs 1.3 to 25 times as much as reuse).
//
// Blocks are 64-byte aligned; from 2 MiB on they are aligned to 2 MiB and advised to use huge
// pages.
//
// `limit` bounds what is held from the system. A request beyond it first gives the cache back, then
// fails with resource_exhausted, naming the request, what is in use and the limit; the allocator
// stays usable.
//
// Under AddressSanitizer cached blocks of host memory are poisoned, so a use after release is
// reported as such.
// Thread safety: all functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ir/support/status.hpp"

namespace hyperion::runtime {

inline constexpr std::size_t kAlignment = 64;  // one cache line, one AVX-512 register
inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Where an allocator gets memory from: the host here, a driver on other devices.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  // Null when there is none. `bytes` is a multiple of kAlignment.
  virtual std::byte* acquire(std::size_t bytes) = 0;
  virtual void release(std::byte* data, std::size_t bytes) = 0;
  // Whether the processor may touch the bytes.
  virtual bool is_host() const { return true; }
  // Why the last acquire() gave nothing, where the source knows more than the allocator.
  virtual std::optional<Status> failure() { return std::nullopt; }
};
MemorySource& host_memory();

struct MemoryStatistics {
  std::uint64_t in_use = 0;       // bytes held by callers, rounded to their class
  std::uint64_t peak = 0;         // highest in_use so far
  std::uint64_t reserved = 0;     // in_use plus cached
  std::uint64_t allocations = 0;  // requests that went to the system
  std::uint64_t cache_hits = 0;   // requests that did not
  std::uint64_t limit = 0;        // 0: none
};

// A block on loan: give exactly this back. `bytes` is at least what was asked for.
struct Memory {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
};

class Allocator {
 public:
  // `name` appears in errors: "cpu:0".
  explicit Allocator(std::string name, std::uint64_t limit = 0,
                     MemorySource& source = host_memory());
  ~Allocator();  // REQUIRES: everything was given back
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // Zero bytes give a valid, smallest block. Contents are undefined.
  StatusOr<Memory> allocate(std::size_t bytes);
  void release(Memory memory) noexcept;

  // Gives all cached blocks back to the system.
  void trim() noexcept;
  void set_limit(std::uint64_t bytes);
  MemoryStatistics statistics() const;

  // For tests: the `nth` allocate() from now (1 = the next) fails once, as if memory had run out. 0
  // disarms.
  void fail_allocation(std::uint64_t nth);

 private:
  // Eight classes for each octave above 512 bytes, up to 2^47 (the user address space), and eight
  // of 64 bytes below.
  static constexpr std::size_t kClassCount = 8 * (47 - 9) + 8;

  StatusOr<Memory> acquire(std::size_t requested, std::size_t bytes);
  void trim_locked() noexcept;
  void poison(const std::byte* data, std::size_t bytes) const;
  void unpoison(const std::byte* data, std::size_t bytes) const;
  std::unexpected<Status> exhausted(std::size_t requested) const;

  const std::string name_;
  MemorySource& source_;
  mutable std::mutex mutex_;
  // All below are guarded by mutex_.
  std::array<std::vector<std::byte*>, kClassCount> cached_;
  MemoryStatistics statistics_;
  std::uint64_t fail_in_ = 0;
};

}  // namespace hyperion::runtime

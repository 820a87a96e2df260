// pool.hpp: device memory in pieces of any size, cut from one growing arena.
//
// Pool is the MemorySource behind a GPU's Allocator (runtime/memory/allocator.hpp), which rounds
// sizes to classes and keeps released blocks for the next request. So the pool is asked only for
// sizes that are new, and may take its time: it takes the smallest free piece that fits (best fit,
// the lowest address among equals), joins neighbours when pieces come back, and grows the arena by
// kPoolStep when nothing fits.
//
// Order of use. A block goes back to the pool as soon as the host drops its last handle, perhaps
// while a kernel still works with it. That is safe as long as everything that touches pool memory
// is ordered by one stream, the device's compute stream; work on another stream must be joined to
// it by events before the host lets go.
//
// Thread safety: all functions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "ir/support/status.hpp"
#include "runtime/cuda/arena.hpp"
#include "runtime/memory/allocator.hpp"

namespace hyperion::runtime::cuda {

// What tensor maps, 16-byte accesses and whole sectors want, with room to spare.
inline constexpr std::uint64_t kPoolAlignment = 1024;
// How much memory the driver is asked for at once.
inline constexpr std::uint64_t kPoolStep = std::uint64_t{32} << 20;

class Pool final : public MemorySource {
 public:
  static StatusOr<std::unique_ptr<Pool>> create(std::shared_ptr<Context> context);

  std::byte* acquire(std::size_t bytes) override;
  void release(std::byte* data, std::size_t bytes) override;
  bool is_host() const override { return false; }
  std::optional<Status> failure() override;

  struct Statistics {
    std::uint64_t backed = 0;
    std::uint64_t free = 0;
    std::uint64_t largest_free = 0;
  };
  Statistics statistics() const;
  // Gives free memory at the end of the arena back to the driver; waits for the device.
  void trim() noexcept;

 private:
  explicit Pool(std::unique_ptr<Arena> arena) : arena_(std::move(arena)) {}
  void insert(std::uint64_t offset, std::uint64_t bytes);
  void remove(std::uint64_t offset, std::uint64_t bytes);
  std::uint64_t free_at_end() const;

  mutable std::mutex mutex_;
  // All below are guarded by mutex_.
  std::unique_ptr<Arena> arena_;
  std::map<std::uint64_t, std::uint64_t> free_by_offset_;  // offset -> bytes; never adjacent
  std::set<std::pair<std::uint64_t, std::uint64_t>> free_by_size_;  // (bytes, offset)
  std::optional<Status> failure_;                                   // of the last acquire()
};

}  // namespace hyperion::runtime::cuda

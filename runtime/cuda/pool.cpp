#include "runtime/cuda/pool.hpp"

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"

namespace hyperion::runtime::cuda {
namespace {

std::uint64_t round_up(std::uint64_t bytes) {
  return (bytes + kPoolAlignment - 1) / kPoolAlignment * kPoolAlignment;
}

}  // namespace

StatusOr<std::unique_ptr<Pool>> Pool::create(std::shared_ptr<Context> context) {
  HYP_TRY(auto arena, Arena::create(std::move(context), {.name = "pool", .step = kPoolStep}));
  return std::unique_ptr<Pool>(new Pool(std::move(arena)));
}

std::byte* Pool::acquire(std::size_t requested) {
  std::lock_guard lock(mutex_);
  const std::uint64_t bytes = round_up(requested);
  auto found = free_by_size_.lower_bound({bytes, 0});
  if (found == free_by_size_.end()) {
    const std::uint64_t before = arena_->bytes();
    StatusOr<> grown = arena_->ensure(before - free_at_end() + bytes);
    if (!grown) {
      failure_ = std::move(grown).error();
      return nullptr;
    }
    insert(before, arena_->bytes() - before);
    found = free_by_size_.lower_bound({bytes, 0});
    HYP_CHECK(found != free_by_size_.end(), "a pool that has grown has room");
  }
  const auto [size, offset] = *found;
  remove(offset, size);
  if (size > bytes) insert(offset + bytes, size - bytes);
  return reinterpret_cast<std::byte*>(arena_->base() + offset);
}

void Pool::release(std::byte* data, std::size_t bytes) {
  std::lock_guard lock(mutex_);
  insert(reinterpret_cast<CUdeviceptr>(data) - arena_->base(), round_up(bytes));
}

std::optional<Status> Pool::failure() {
  std::lock_guard lock(mutex_);
  return failure_;
}

// Joins the piece with its neighbours.
void Pool::insert(std::uint64_t offset, std::uint64_t bytes) {
  auto next = free_by_offset_.lower_bound(offset);
  HYP_DCHECK(next == free_by_offset_.end() || offset + bytes <= next->first, "released twice");
  if (next != free_by_offset_.end() && offset + bytes == next->first) {
    const auto [at, size] = *next;
    remove(at, size);
    bytes += size;
  }
  auto previous = free_by_offset_.lower_bound(offset);
  if (previous != free_by_offset_.begin()) {
    --previous;
    const auto [at, size] = *previous;
    HYP_DCHECK(at + size <= offset, "released twice");
    if (at + size == offset) {
      remove(at, size);
      offset = at;
      bytes += size;
    }
  }
  free_by_offset_.emplace(offset, bytes);
  free_by_size_.emplace(bytes, offset);
}

void Pool::remove(std::uint64_t offset, std::uint64_t bytes) {
  free_by_offset_.erase(offset);
  free_by_size_.erase({bytes, offset});
}

std::uint64_t Pool::free_at_end() const {
  if (free_by_offset_.empty()) return 0;
  const auto& [offset, bytes] = *free_by_offset_.rbegin();
  return offset + bytes == arena_->bytes() ? bytes : 0;
}

Pool::Statistics Pool::statistics() const {
  std::lock_guard lock(mutex_);
  Statistics statistics{.backed = arena_->bytes()};
  for (const auto& [offset, bytes] : free_by_offset_) statistics.free += bytes;
  if (!free_by_size_.empty()) statistics.largest_free = free_by_size_.rbegin()->first;
  return statistics;
}

void Pool::trim() noexcept {
  std::lock_guard lock(mutex_);
  const std::uint64_t end_bytes = free_at_end();
  if (end_bytes == 0) return;
  const std::uint64_t before = arena_->bytes();
  remove(before - end_bytes, end_bytes);
  arena_->shrink(before - end_bytes);
  const std::uint64_t left = end_bytes - (before - arena_->bytes());
  if (left != 0) insert(arena_->bytes() - left, left);
}

}  // namespace hyperion::runtime::cuda

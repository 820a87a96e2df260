#include "runtime/memory/allocator.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <utility>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(data, bytes) ((void)(data), (void)(bytes))
#endif

namespace hyperion::runtime {
namespace {

constexpr std::size_t kSmall = 512;                     // below: steps of kAlignment
constexpr std::size_t kLargest = std::size_t{1} << 47;  // user address space of x86-64 and AArch64

// REQUIRES: bytes <= kLargest.
std::size_t class_index(std::size_t bytes) {
  if (bytes <= kSmall) return bytes == 0 ? 0 : (bytes - 1) / kAlignment;
  const std::size_t octave = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // at least 9
  const std::size_t steps = ((bytes - 1) >> (octave - 3)) - 8;                         // 0 to 7
  return 8 + 8 * (octave - 9) + steps;
}

std::size_t class_bytes(std::size_t index) {
  if (index < 8) return (index + 1) * kAlignment;
  const std::size_t octave = 9 + (index - 8) / 8;
  return (8 + index % 8 + 1) << (octave - 3);
}

// Maps enough to find an aligned start inside, and unmaps the rest. Advice that is refused changes
// only speed.
std::byte* map_huge(std::size_t bytes) {
  const std::size_t mapped = bytes + kHugePage;
  void* base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  const auto start = reinterpret_cast<std::uintptr_t>(base);
  const std::uintptr_t aligned = (start + kHugePage - 1) & ~(std::uintptr_t{kHugePage} - 1);
  auto* data = reinterpret_cast<std::byte*>(aligned);
  if (aligned != start) munmap(base, aligned - start);
  munmap(data + bytes, start + mapped - (aligned + bytes));
  madvise(data, bytes, MADV_HUGEPAGE);
  return data;
}

class HostMemory final : public MemorySource {
 public:
  std::byte* acquire(std::size_t bytes) override {
    if (bytes >= kHugePage) return map_huge(bytes);
    return static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes));
  }
  void release(std::byte* data, std::size_t bytes) override {
    if (bytes >= kHugePage) {
      munmap(data, bytes);
    } else {
      std::free(data);
    }
  }
};

std::string readable(std::uint64_t bytes) {
  if (bytes < 10 * 1024) return format("{} bytes", bytes);
  if (bytes < std::uint64_t{10} << 20)
    return format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  return format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

MemorySource& host_memory() {
  static HostMemory* source =
      new HostMemory;  // never destroyed: static tensors release during exit
  return *source;
}

Allocator::Allocator(std::string name, std::uint64_t limit, MemorySource& source)
    : name_(std::move(name)), source_(source) {
  statistics_.limit = limit;
}

Allocator::~Allocator() {
  HYP_CHECK(statistics_.in_use == 0, "memory outlives its allocator");
  trim_locked();
}

StatusOr<Memory> Allocator::allocate(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  if (fail_in_ != 0 && --fail_in_ == 0) return exhausted(bytes);
  if (bytes > kLargest) return exhausted(bytes);
  const std::size_t index = class_index(bytes);
  Memory memory{nullptr, class_bytes(index)};
  if (std::vector<std::byte*>& free = cached_[index]; !free.empty()) {
    memory.data = free.back();
    free.pop_back();
    ++statistics_.cache_hits;
    unpoison(memory.data, memory.bytes);
  } else {
    HYP_TRY(memory, acquire(bytes, memory.bytes));
  }
  statistics_.in_use += memory.bytes;
  statistics_.peak = std::max(statistics_.peak, statistics_.in_use);
  return memory;
}

StatusOr<Memory> Allocator::acquire(std::size_t requested, std::size_t bytes) {
  const auto fits = [&] {
    return statistics_.limit == 0 ||
           (bytes <= statistics_.limit && statistics_.reserved <= statistics_.limit - bytes);
  };
  if (!fits()) trim_locked();
  if (!fits()) return exhausted(requested);
  std::byte* data = source_.acquire(bytes);
  if (data == nullptr) {
    trim_locked();
    data = source_.acquire(bytes);
  }
  if (data == nullptr) {
    if (std::optional<Status> failure = source_.failure()) {
      return std::unexpected(*std::move(failure));
    }
    return exhausted(requested);
  }
  statistics_.reserved += bytes;
  ++statistics_.allocations;
  return Memory{data, bytes};
}

void Allocator::release(Memory memory) noexcept {
  if (memory.data == nullptr) return;
  std::lock_guard lock(mutex_);
  HYP_DCHECK(class_bytes(class_index(memory.bytes)) == memory.bytes, "not an allocator's block");
  HYP_DCHECK(statistics_.in_use >= memory.bytes, "released twice");
  statistics_.in_use -= memory.bytes;
  poison(memory.data, memory.bytes);
  cached_[class_index(memory.bytes)].push_back(memory.data);
}

void Allocator::poison(const std::byte* data, std::size_t bytes) const {
  if (source_.is_host()) ASAN_POISON_MEMORY_REGION(data, bytes);
}

void Allocator::unpoison(const std::byte* data, std::size_t bytes) const {
  if (source_.is_host()) ASAN_UNPOISON_MEMORY_REGION(data, bytes);
}

void Allocator::trim() noexcept {
  std::lock_guard lock(mutex_);
  trim_locked();
}

void Allocator::trim_locked() noexcept {
  for (std::size_t index = 0; index < kClassCount; ++index) {
    const std::size_t bytes = class_bytes(index);
    for (std::byte* data : cached_[index]) {
      unpoison(data, bytes);
      source_.release(data, bytes);
      statistics_.reserved -= bytes;
    }
    cached_[index].clear();
  }
}

void Allocator::set_limit(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  statistics_.limit = bytes;
}

MemoryStatistics Allocator::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

void Allocator::fail_allocation(std::uint64_t nth) {
  std::lock_guard lock(mutex_);
  fail_in_ = nth;
}

std::unexpected<Status> Allocator::exhausted(std::size_t requested) const {
  std::string message =
      format("no memory for {} more: {} in use", readable(requested), readable(statistics_.in_use));
  if (statistics_.limit != 0) message += format(", limit {}", readable(statistics_.limit));
  return error_status(Code::resource_exhausted, std::move(message), name_,
                      statistics_.limit != 0 ? "raise the memory limit or use a smaller batch"
                                             : "use a smaller batch");
}

}  // namespace hyperion::runtime

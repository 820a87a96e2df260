#include "runtime/memory/allocator.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

namespace hyperion::runtime {
namespace {

bool aligned(const Memory& memory, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(memory.data) % alignment == 0;
}

TEST(Allocator, BlocksAreAlignedLargeEnoughAndWasteLittle) {
  Allocator allocator("cpu:0");
  std::mt19937_64 random(7);
  for (int i = 0; i < 400; ++i) {
    const std::size_t bytes = random() % (std::size_t{1} << (random() % 24));
    const StatusOr<Memory> memory = allocator.allocate(bytes);
    ASSERT_TRUE(memory.has_value());
    EXPECT_GE(memory->bytes, bytes);
    EXPECT_LE(memory->bytes, bytes + std::max<std::size_t>(64, bytes / 8));
    EXPECT_TRUE(aligned(*memory, kAlignment));
    std::memset(memory->data, 0x5a, memory->bytes);
    allocator.release(*memory);
  }
  EXPECT_EQ(allocator.statistics().in_use, 0u);
}

TEST(Allocator, EveryClassBoundary) {
  Allocator allocator("cpu:0");
  for (std::size_t bytes = 1; bytes <= std::size_t{1} << 16; bytes += bytes < 2048 ? 1 : 61) {
    const Memory memory = *allocator.allocate(bytes);
    ASSERT_GE(memory.bytes, bytes);
    ASSERT_EQ(memory.bytes % kAlignment, 0u);
    allocator.release(memory);
    // A request for exactly the class size lands in the same class.
    const Memory same = *allocator.allocate(memory.bytes);
    ASSERT_EQ(same.data, memory.data) << bytes;
    allocator.release(same);
  }
}

TEST(Allocator, LargeBlocksStartOnHugePages) {
  Allocator allocator("cpu:0");
  for (std::size_t bytes : {kHugePage, kHugePage + 1, 5 * kHugePage + 12345}) {
    const Memory memory = *allocator.allocate(bytes);
    EXPECT_TRUE(aligned(memory, kHugePage));
    memory.data[bytes - 1] = std::byte{1};
    allocator.release(memory);
  }
}

TEST(Allocator, SteadyStateAsksTheSystemForNothing) {
  Allocator allocator("cpu:0");
  const auto step = [&] {
    const Memory a = *allocator.allocate(1000);
    const Memory b = *allocator.allocate(3 << 20);
    const Memory c = *allocator.allocate(1000);
    allocator.release(b);
    allocator.release(a);
    allocator.release(c);
  };
  step();
  const MemoryStatistics first = allocator.statistics();
  EXPECT_EQ(first.allocations, 3u);
  EXPECT_EQ(first.cache_hits, 0u);
  for (int i = 0; i < 10; ++i) step();
  const MemoryStatistics later = allocator.statistics();
  EXPECT_EQ(later.allocations, 3u);
  EXPECT_EQ(later.cache_hits, 30u);
  EXPECT_EQ(later.reserved, first.reserved);
  EXPECT_EQ(later.peak, first.peak);
}

TEST(Allocator, LimitIsHeldAndNamedAndSurvivable) {
  Allocator allocator("cpu:3", 1 << 20);
  const Memory kept = *allocator.allocate(512 << 10);
  const StatusOr<Memory> refused = allocator.allocate(768 << 10);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::resource_exhausted);
  EXPECT_EQ(refused.error().where, "cpu:3");
  EXPECT_EQ(refused.error().message,
            "no memory for 768.0 KiB more: 512.0 KiB in use, limit 1024.0 KiB");
  allocator.release(kept);
  // Cached blocks make room.
  const StatusOr<Memory> now = allocator.allocate(768 << 10);
  ASSERT_TRUE(now.has_value());
  EXPECT_LE(allocator.statistics().reserved, 1u << 20);
  allocator.release(*now);
}

TEST(Allocator, ImpossibleSizes) {
  Allocator allocator("cpu:0");
  for (std::size_t bytes : {~std::size_t{0}, std::size_t{1} << 63, (std::size_t{1} << 47) + 1}) {
    const StatusOr<Memory> memory = allocator.allocate(bytes);
    ASSERT_FALSE(memory.has_value());
    EXPECT_EQ(memory.error().code, Code::resource_exhausted);
  }
}

TEST(Allocator, TrimGivesTheCacheBack) {
  Allocator allocator("cpu:0");
  std::vector<Memory> held;
  for (std::size_t bytes = 1; bytes < std::size_t{8} << 20; bytes = bytes * 3 / 2 + 1) {
    held.push_back(*allocator.allocate(bytes));
  }
  for (const Memory& memory : held) allocator.release(memory);
  EXPECT_GT(allocator.statistics().reserved, 0u);
  allocator.trim();
  EXPECT_EQ(allocator.statistics().reserved, 0u);
}

TEST(Allocator, InjectedFailureHitsExactlyTheNth) {
  Allocator allocator("cpu:0");
  allocator.fail_allocation(3);
  std::vector<Memory> held;
  for (int i = 1; i <= 5; ++i) {
    const StatusOr<Memory> memory = allocator.allocate(100);
    EXPECT_EQ(memory.has_value(), i != 3);
    if (memory) held.push_back(*memory);
  }
  for (const Memory& memory : held) allocator.release(memory);
}

// A system that is out of memory until something is given back.
class Stingy final : public MemorySource {
 public:
  std::byte* acquire(std::size_t bytes) override {
    if (live_ > 0) return nullptr;
    ++live_;
    return host_memory().acquire(bytes);
  }
  void release(std::byte* data, std::size_t bytes) override {
    --live_;
    host_memory().release(data, bytes);
  }

 private:
  int live_ = 0;
};

TEST(Allocator, TrimsBeforeGivingUp) {
  Stingy source;
  Allocator allocator("cpu:0", 0, source);
  allocator.release(*allocator.allocate(100));
  const StatusOr<Memory> other_class = allocator.allocate(5000);
  ASSERT_TRUE(other_class.has_value());
  EXPECT_EQ(allocator.allocate(5000).error().code, Code::resource_exhausted);
  allocator.release(*other_class);
}

TEST(Allocator, Threads) {
  Allocator allocator("cpu:0");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 2000; ++i) {
        const Memory memory = *allocator.allocate(random() % 10000);
        std::memset(memory.data, t, memory.bytes);
        allocator.release(memory);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allocator.statistics().in_use, 0u);
}

}  // namespace
}  // namespace hyperion::runtime

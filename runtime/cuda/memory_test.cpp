#include <gtest/gtest.h>

#include <random>

#include "runtime/cuda/arena.hpp"
#include "runtime/cuda/pool.hpp"
#include "runtime/cuda/problem.hpp"
#include "runtime/cuda/staging.hpp"
#include "tests/support/fake_cuda.hpp"

namespace hyperion::runtime::cuda {
namespace {

using testing_support::FakeDriver;
using testing_support::kFakePage;

class CudaMemory : public testing::Test {
 protected:
  void SetUp() override {
    driver_ = std::make_shared<FakeDriver>();
    auto context = Context::create(driver_, 0);
    ASSERT_TRUE(context);
    context_ = *context;
  }
  void TearDown() override {
    context_.reset();
    EXPECT_EQ(driver_->leaks(), "");
    EXPECT_EQ(driver_->memory_used(), 0u);
  }
  std::unique_ptr<Arena> arena(std::uint64_t step = 0) {
    return *Arena::create(context_, {.name = "arena of step", .step = step});
  }
  std::unique_ptr<Pool> pool() { return *Pool::create(context_); }

  std::shared_ptr<FakeDriver> driver_;
  std::shared_ptr<Context> context_;
};

std::byte* at(CUdeviceptr address) { return reinterpret_cast<std::byte*>(address); }

TEST_F(CudaMemory, AnArenaGrowsInPlace) {
  const auto arena = this->arena();
  EXPECT_EQ(arena->bytes(), 0u);
  ASSERT_TRUE(arena->ensure(100));
  EXPECT_EQ(arena->bytes(), kFakePage);
  const CUdeviceptr base = arena->base();
  *at(base) = std::byte{7};
  ASSERT_TRUE(arena->ensure(10 * kFakePage));
  EXPECT_EQ(arena->base(), base);
  EXPECT_EQ(*at(base), std::byte{7});
  *at(base + 10 * kFakePage - 1) = std::byte{8};
  ASSERT_TRUE(arena->ensure(5));  // has that already
  EXPECT_EQ(arena->bytes(), 10 * kFakePage);
  EXPECT_EQ(context_->ledger().text(), "arena of step 20.0 MiB");
}

TEST_F(CudaMemory, AnArenaShrinksByWholePieces) {
  const auto arena = this->arena();
  ASSERT_TRUE(arena->ensure(kFakePage));
  ASSERT_TRUE(arena->ensure(3 * kFakePage));
  arena->shrink(2 * kFakePage);  // the second piece holds part of that
  EXPECT_EQ(arena->bytes(), 3 * kFakePage);
  arena->shrink(kFakePage);
  EXPECT_EQ(arena->bytes(), kFakePage);
  EXPECT_EQ(driver_->memory_used(), kFakePage);
  arena->shrink(0);
  EXPECT_EQ(context_->ledger().text(), "nothing");
}

TEST_F(CudaMemory, OutOfMemorySaysWhoHoldsIt) {
  const auto first = *Arena::create(context_, {.name = "weights"});
  const auto second = this->arena();
  ASSERT_TRUE(first->ensure(std::uint64_t{900} << 20));
  ASSERT_TRUE(second->ensure(std::uint64_t{100} << 20));
  const auto grown = second->ensure(std::uint64_t{200} << 20);
  ASSERT_FALSE(grown);
  EXPECT_EQ(grown.error().code, Code::resource_exhausted);
  EXPECT_EQ(
      grown.error().text(),
      "resource_exhausted: cuda:0: no memory for 100.0 MiB more for arena of step: 1024.0 MiB in "
      "all, 24.0 MiB free; held by weights 900.0 MiB, arena of step 100.0 MiB, by CUDA and "
      "others 0 bytes [cuda.out_of_memory]; use a smaller batch, or end what else uses the GPU");
  EXPECT_EQ(second->bytes(), std::uint64_t{100} << 20);  // as it was
  ASSERT_TRUE(second->ensure(std::uint64_t{120} << 20));
}

TEST_F(CudaMemory, GrowingFailsCleanlyAtEveryCall) {
  for (const char* call : {"cuMemCreate", "cuMemMap", "cuMemSetAccess"}) {
    const auto arena = this->arena();
    ASSERT_TRUE(arena->ensure(kFakePage));
    driver_->fail(1, CUDA_ERROR_OUT_OF_MEMORY, call);
    const auto grown = arena->ensure(2 * kFakePage);
    ASSERT_FALSE(grown) << call;
    EXPECT_TRUE(is_problem(grown.error(), Problem::out_of_memory)) << call;
    EXPECT_EQ(arena->bytes(), kFakePage);
    EXPECT_EQ(driver_->memory_used(), kFakePage) << call;
    EXPECT_TRUE(arena->ensure(2 * kFakePage)) << call;
  }
}

TEST_F(CudaMemory, ThePoolReusesAndJoinsPieces) {
  const auto pool = this->pool();
  std::byte* a = pool->acquire(1000);
  std::byte* b = pool->acquire(3000);
  std::byte* c = pool->acquire(1);
  EXPECT_EQ(b - a, 1024);
  EXPECT_EQ(c - b, 3072);
  EXPECT_EQ(pool->statistics().backed, kPoolStep);
  pool->release(a, 1000);
  pool->release(b, 3000);
  EXPECT_EQ(pool->acquire(4096), a);  // both joined
  pool->release(a, 4096);
  pool->release(c, 1);
  EXPECT_EQ(pool->statistics().free, kPoolStep);
  EXPECT_EQ(pool->statistics().largest_free, kPoolStep);
  pool->trim();
  EXPECT_EQ(driver_->memory_used(), 0u);
}

TEST_F(CudaMemory, ThePoolGrowsByWhatItsLastPieceLacks) {
  const auto pool = this->pool();
  std::byte* a = pool->acquire(kPoolStep / 2);
  std::byte* b = pool->acquire(kPoolStep);  // half of it was free at the end
  EXPECT_EQ(pool->statistics().backed, 2 * kPoolStep);
  EXPECT_EQ(b - a, static_cast<std::ptrdiff_t>(kPoolStep / 2));
  pool->release(b, kPoolStep);
  pool->trim();  // the second piece goes, the free half of the first stays
  EXPECT_EQ(pool->statistics().backed, kPoolStep);
  EXPECT_EQ(pool->statistics().free, kPoolStep / 2);
  pool->release(a, kPoolStep / 2);
}

// Against the obvious model: no two blocks overlap, and what was written stays.
TEST_F(CudaMemory, ThePoolSurvivesRandomUse) {
  const auto pool = this->pool();
  struct Block {
    std::byte* data;
    std::size_t bytes;
    std::byte mark;
  };
  std::vector<Block> blocks;
  std::mt19937 random(1);
  for (int step = 0; step < 5000; ++step) {
    if (blocks.empty() || random() % 5 < 3) {
      const std::size_t bytes = 1 + random() % (std::size_t{1} << (1 + random() % 18));
      Block block{pool->acquire(bytes), bytes, static_cast<std::byte>(random())};
      ASSERT_NE(block.data, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.data) % kPoolAlignment, 0u);
      std::memset(block.data, static_cast<int>(block.mark), bytes);
      blocks.push_back(block);
    } else {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const Block block = blocks.back();
      blocks.pop_back();
      ASSERT_TRUE(std::all_of(block.data, block.data + block.bytes,
                              [&](std::byte each) { return each == block.mark; }));
      pool->release(block.data, block.bytes);
    }
  }
  for (const Block& block : blocks) pool->release(block.data, block.bytes);
  EXPECT_EQ(pool->statistics().largest_free, pool->statistics().backed);
}

TEST_F(CudaMemory, TheAllocatorPassesOnWhoHoldsTheMemory) {
  const auto pool = this->pool();
  Allocator allocator("cuda:0", 0, *pool);
  const auto memory = allocator.allocate(std::size_t{600} << 20);
  ASSERT_TRUE(memory);
  const auto more = allocator.allocate(std::size_t{600} << 20);
  ASSERT_FALSE(more);
  EXPECT_TRUE(is_problem(more.error(), Problem::out_of_memory)) << more.error().text();
  EXPECT_NE(more.error().text().find("held by pool"), std::string::npos);
  allocator.release(*memory);
  // The cached block is given up for one of another size.
  const auto other = allocator.allocate(std::size_t{900} << 20);
  ASSERT_TRUE(other) << other.error().text();
  allocator.release(*other);
}

TEST_F(CudaMemory, CopiesOfEverySizeArrive) {
  const auto pool = this->pool();
  const auto stream = *Stream::create(context_);
  Staging staging(context_, {.slot_bytes = 1000, .slots = 3});
  std::mt19937 random(2);
  for (const std::size_t bytes : {0, 1, 999, 1000, 1001, 3000, 10'007}) {
    std::vector<std::byte> sent(bytes);
    for (std::byte& each : sent) each = static_cast<std::byte>(random());
    std::byte* device = pool->acquire(bytes + 1);
    const auto address = reinterpret_cast<CUdeviceptr>(device);
    ASSERT_TRUE(staging.upload(*stream, address, sent));
    std::vector<std::byte> received(bytes);
    ASSERT_TRUE(staging.download(*stream, received, address));
    EXPECT_EQ(received, sent) << bytes;
    pool->release(device, bytes + 1);
  }
  EXPECT_EQ(driver_->count("cuMemHostAlloc"), 3u);
}

TEST_F(CudaMemory, StagingMakesDoWithOneSlot) {
  const auto pool = this->pool();
  const auto stream = *Stream::create(context_);
  Staging staging(context_, {.slot_bytes = 1000, .slots = 3});
  std::byte* device = pool->acquire(5000);
  const auto address = reinterpret_cast<CUdeviceptr>(device);
  const std::vector<std::byte> sent(5000, std::byte{3});
  driver_->fail(1, CUDA_ERROR_OUT_OF_MEMORY, "cuMemHostAlloc");
  const auto failed = staging.upload(*stream, address, sent);
  ASSERT_FALSE(failed);
  EXPECT_TRUE(is_problem(failed.error(), Problem::pinned_memory));
  driver_->fail(2, CUDA_ERROR_OUT_OF_MEMORY, "cuMemHostAlloc");
  ASSERT_TRUE(staging.upload(*stream, address, sent));
  std::vector<std::byte> received(5000);
  ASSERT_TRUE(staging.download(*stream, received, address));
  EXPECT_EQ(received, sent);
  pool->release(device, 5000);
}

}  // namespace
}  // namespace hyperion::runtime::cuda

#include "runtime/cpu/thread_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

namespace hyperion::runtime {
namespace {

TEST(ThreadPool, RunsEveryTileOnce) {
  ThreadPool pool(4);
  for (std::int64_t tiles : {0, 1, 2, 3, 7, 64, 1000, 4097}) {
    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(tiles));
    pool.parallel_for(tiles, [&](std::int64_t begin, std::int64_t end, int worker) noexcept {
      EXPECT_LT(begin, end);
      EXPECT_GE(worker, 0);
      EXPECT_LT(worker, 4);
      for (std::int64_t i = begin; i < end; ++i) hits[static_cast<std::size_t>(i)].fetch_add(1);
    });
    for (const std::atomic<int>& hit : hits) EXPECT_EQ(hit.load(), 1) << tiles << " tiles";
  }
}

TEST(ThreadPool, MoreThan32BitsOfTiles) {
  ThreadPool pool(3);
  constexpr std::int64_t kTiles = (std::int64_t{1} << 37) + 12345;
  std::atomic<std::int64_t> covered{0};
  std::atomic<std::int64_t> last{0};
  pool.parallel_for(kTiles, [&](std::int64_t begin, std::int64_t end, int) noexcept {
    covered.fetch_add(end - begin);
    if (end == kTiles) last.fetch_add(1);
  });
  EXPECT_EQ(covered.load(), kTiles);
  EXPECT_EQ(last.load(), 1);
}

TEST(ThreadPool, OneThreadRunsInline) {
  ThreadPool pool(1);
  const std::thread::id caller = std::this_thread::get_id();
  int calls = 0;
  pool.parallel_for(1000, [&](std::int64_t begin, std::int64_t end, int worker) noexcept {
    ++calls;
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 1000);
    EXPECT_EQ(worker, 0);
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
  EXPECT_EQ(calls, 1);
}

TEST(ThreadPool, NestedRunIsInlineOnTheSameWorker) {
  ThreadPool pool(4);
  std::atomic<std::int64_t> inner_tiles{0};
  pool.parallel_for(100, [&](std::int64_t begin, std::int64_t end, int worker) noexcept {
    const std::thread::id self = std::this_thread::get_id();
    for (std::int64_t i = begin; i < end; ++i) {
      pool.parallel_for(10, [&](std::int64_t b, std::int64_t e, int inner_worker) noexcept {
        EXPECT_EQ(std::this_thread::get_id(), self);
        EXPECT_EQ(inner_worker, worker);
        inner_tiles.fetch_add(e - b);
      });
    }
  });
  EXPECT_EQ(inner_tiles.load(), 1000);
}

// Two pools may nest: a tile of one may fork on the other.
TEST(ThreadPool, NestingInAnotherPool) {
  ThreadPool outer(2);
  ThreadPool inner(2);
  std::atomic<std::int64_t> tiles{0};
  outer.parallel_for(50, [&](std::int64_t begin, std::int64_t end, int) noexcept {
    for (std::int64_t i = begin; i < end; ++i) {
      inner.parallel_for(
          8, [&](std::int64_t b, std::int64_t e, int) noexcept { tiles.fetch_add(e - b); });
    }
  });
  EXPECT_EQ(tiles.load(), 400);
}

// Plain, unsynchronised writes: the fork and the join must order them. This is the test to run
// under tsan.
TEST(ThreadPool, RunsAreOrderedAgainstEachOther) {
  ThreadPool pool(4);
  std::vector<std::int64_t> values(257, 0);
  constexpr int kRuns = 5000;
  for (int run = 0; run < kRuns; ++run) {
    const std::int64_t tiles = 1 + run % 257;
    pool.parallel_for(tiles, [&](std::int64_t begin, std::int64_t end, int) noexcept {
      for (std::int64_t i = begin; i < end; ++i) ++values[static_cast<std::size_t>(i)];
    });
    if (run % 500 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(300));  // sleepers too
  }
  std::int64_t expected = 0;
  for (int run = 0; run < kRuns; ++run) expected += 1 + run % 257;
  EXPECT_EQ(std::accumulate(values.begin(), values.end(), std::int64_t{0}), expected);
}

// Per-worker scratch must never be shared by two threads of one run.
TEST(ThreadPool, WorkerIndexIsExclusive) {
  ThreadPool pool(4);
  struct alignas(64) Scratch {
    std::int64_t sum = 0;
  };
  for (int run = 0; run < 200; ++run) {
    std::vector<Scratch> scratch(4);
    pool.parallel_for(500, [&](std::int64_t begin, std::int64_t end, int worker) noexcept {
      for (std::int64_t i = begin; i < end; ++i) scratch[static_cast<std::size_t>(worker)].sum += i;
    });
    std::int64_t total = 0;
    for (const Scratch& s : scratch) total += s.sum;
    EXPECT_EQ(total, 500 * 499 / 2);
  }
}

TEST(ThreadPool, ManyCallersShareOnePool) {
  ThreadPool pool(3);
  std::atomic<std::int64_t> tiles{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&] {
      for (int run = 0; run < 500; ++run) {
        pool.parallel_for(1 + run % 33, [&](std::int64_t begin, std::int64_t end, int) noexcept {
          tiles.fetch_add(end - begin);
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  std::int64_t expected = 0;
  for (int run = 0; run < 500; ++run) expected += 1 + run % 33;
  EXPECT_EQ(tiles.load(), 6 * expected);
}

// A machine whose cores are all taken, for the life of this object.
class BusyMachine {
 public:
  BusyMachine() {
    for (unsigned k = 0; k < 4 * std::max(1u, std::thread::hardware_concurrency()); ++k) {
      spinners_.emplace_back([this] {
        while (!over_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  ~BusyMachine() {
    over_ = true;
    for (std::thread& spinner : spinners_) spinner.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::vector<std::thread> spinners_;
};

TEST(ThreadPool, EveryTileRunsOnABusyMachine) {
  const BusyMachine others;
  ThreadPool pool(4);
  for (int run = 0; run < 300; ++run) {
    const std::int64_t tiles = 1 + 37 * run % 501;
    std::vector<std::atomic<int>> hits(static_cast<std::size_t>(tiles));
    pool.parallel_for(tiles, [&](std::int64_t begin, std::int64_t end, int) noexcept {
      for (std::int64_t i = begin; i < end; ++i) hits[static_cast<std::size_t>(i)].fetch_add(1);
    });
    for (const std::atomic<int>& hit : hits) ASSERT_EQ(hit.load(), 1) << "run " << run;
  }
}

// Workers that got a tile hold it until everything else is done. So somebody must do everything
// else, and that can only be the caller: it waits for tiles that are claimed, never for others. A
// split that gave each worker its share in advance would stand still here.
TEST(ThreadPool, TheCallerRunsWhateverNobodyClaimed) {
  const BusyMachine others;
  ThreadPool pool(4);
  constexpr std::int64_t kTiles = 1000;
  constexpr auto kLongEnough = std::chrono::seconds(60);
  for (int run = 0; run < 20; ++run) {
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<std::int64_t> held{0}, done{0};
    std::atomic<bool> stood_still{false};
    pool.parallel_for(kTiles, [&](std::int64_t begin, std::int64_t end, int) noexcept {
      if (std::this_thread::get_id() == caller) {
        done.fetch_add(end - begin);
        return;
      }
      held.fetch_add(end - begin);
      const auto deadline = std::chrono::steady_clock::now() + kLongEnough;
      while (held.load() + done.load() < kTiles && !stood_still.load()) {
        if (std::chrono::steady_clock::now() > deadline) stood_still = true;
        std::this_thread::yield();
      }
    });
    ASSERT_FALSE(stood_still.load()) << "run " << run << ": tiles that nobody claimed were not run";
    EXPECT_EQ(held.load() + done.load(), kTiles);
  }
}

TEST(ThreadPool, StoppingWhileWorkersSleepOrSpin) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(4);
    std::atomic<int> tiles{0};
    pool.parallel_for(5, [&](std::int64_t begin, std::int64_t end, int) noexcept {
      tiles.fetch_add(static_cast<int>(end - begin));
    });
    EXPECT_EQ(tiles.load(), 5);
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace
}  // namespace hyperion::runtime

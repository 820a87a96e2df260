#include "runtime/cpu/thread_pool.hpp"

#include <algorithm>
#include <limits>

#include "ir/support/check.hpp"

namespace hyperion::runtime {
namespace {

using Clock = std::chrono::steady_clock;

// How long an idle worker keeps polling. A sleeping worker needs 15-35 us to wake, so a gap shorter
// than about twice that is cheaper to spin through; longer spinning would steal the core from other
// processes.
constexpr auto kSpin = std::chrono::microseconds(70);

// Polls between two looks at the clock.
constexpr int kPausesPerLook = 32;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True as soon as `done()` holds, false when it has not within kSpin.
template <class Done>
bool spin_until(Done done) {
  const Clock::time_point deadline = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (done()) return true;
      pause();
    }
  } while (Clock::now() < deadline);
  return false;
}

// Which pool's tile this thread is inside of: a nested run() executes inline.
thread_local const ThreadPool* t_pool = nullptr;
thread_local int t_worker = 0;

class InsideTile {
 public:
  InsideTile(const ThreadPool* pool, int worker) : pool_(t_pool), worker_(t_worker) {
    t_pool = pool;
    t_worker = worker;
  }
  ~InsideTile() {
    t_pool = pool_;
    t_worker = worker_;
  }
  InsideTile(const InsideTile&) = delete;
  InsideTile& operator=(const InsideTile&) = delete;

 private:
  const ThreadPool* pool_;
  int worker_;
};

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(threads) {
  HYP_CHECK(threads >= 1, "a thread pool counts its caller, so it has at least one thread");
  workers_.reserve(static_cast<std::size_t>(threads) - 1);
  for (int worker = 1; worker < threads; ++worker) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::int64_t tiles, Body body, void* context) {
  if (tiles <= 0) return;
  if (t_pool == this) {
    body(context, 0, tiles, t_worker);
    return;
  }
  const InsideTile inside(this, 0);
  if (threads_ == 1 || tiles == 1 || busy_.exchange(true, std::memory_order_acquire)) {
    body(context, 0, tiles, 0);
    return;
  }

  constexpr std::int64_t kMaxUnits = std::numeric_limits<std::uint32_t>::max();
  const std::int64_t tiles_per_unit = (tiles - 1) / kMaxUnits + 1;
  const auto units = static_cast<std::uint32_t>((tiles - 1) / tiles_per_unit + 1);
  job_ = {body, context, tiles, tiles_per_unit, units};
  unfinished_.store(units, std::memory_order_relaxed);
  open_.store(std::uint64_t{++generation_} << 32 | units, std::memory_order_release);
  epoch_.fetch_add(1);  // after the job is open: a worker that sees the new epoch sees the job
  if (units > workers_.size()) {
    epoch_.notify_all();
  } else {
    for (std::uint32_t i = 1; i < units; ++i) epoch_.notify_one();
  }

  while (run_some(0)) {
  }
  wait_for_finish();
  busy_.store(false, std::memory_order_release);
}

// A claim succeeds only if the word is unchanged since it was read. So a worker that wakes late can
// never run a tile of a finished job, and a claimed tile proves that `job_` is the one it belongs
// to until that tile is finished.
bool ThreadPool::run_some(int worker) {
  std::uint64_t seen = open_.load(std::memory_order_acquire);
  std::uint32_t left = 0;
  std::uint32_t taken = 0;
  do {
    left = static_cast<std::uint32_t>(seen);
    if (left == 0) return false;
    // Half of a fair share: two threads start with a quarter each and end on single tiles.
    taken = std::max(1u, left / (2 * static_cast<std::uint32_t>(threads_)));
  } while (!open_.compare_exchange_weak(seen, seen - taken, std::memory_order_acq_rel,
                                        std::memory_order_acquire));

  const std::int64_t begin = std::int64_t{job_.units - left} * job_.tiles_per_unit;
  const std::int64_t end = std::min(begin + taken * job_.tiles_per_unit, job_.tiles);
  job_.body(job_.context, begin, end, worker);
  if (unfinished_.fetch_sub(taken, std::memory_order_acq_rel) == taken) unfinished_.notify_one();
  return true;
}

void ThreadPool::work(int worker) {
  const InsideTile inside(this, worker);
  while (!stopping_.load(std::memory_order_relaxed)) {
    // Read before looking for tiles: a run that opens in between changes the epoch, so the wait
    // returns at once.
    const std::uint32_t seen = epoch_.load(std::memory_order_acquire);
    while (run_some(worker)) {
    }
    if (stopping_.load(std::memory_order_relaxed)) return;
    wait_for_new_epoch(seen);
  }
}

void ThreadPool::wait_for_new_epoch(std::uint32_t seen) {
  const auto changed = [&] { return epoch_.load(std::memory_order_acquire) != seen; };
  if (!spin_until(changed)) epoch_.wait(seen, std::memory_order_acquire);
}

void ThreadPool::wait_for_finish() {
  const auto finished = [&] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (spin_until(finished)) return;
  // Some worker was descheduled in the middle of a tile: give it this core.
  while (const std::uint32_t left = unfinished_.load(std::memory_order_acquire)) {
    unfinished_.wait(left, std::memory_order_acquire);
  }
}

}  // namespace hyperion::runtime

// thread_pool.hpp: fork-join over tiles, made for kernels that take microseconds.
//
// run() splits [0, tiles) among the caller and the workers and returns when every tile is done. The
// caller takes tiles too and never waits for a tile that nobody has claimed: on a busy machine,
// where a worker may not be scheduled for milliseconds, the caller simply does all the work. Static
// splits with a spinning join collapse there.
//
// Claims shrink as the work runs out (each takes a share of what is left), so a long run costs few
// atomic operations and still ends balanced. Which thread runs which tile is not deterministic; a
// kernel's result must not depend on it.
//
// Between runs a worker spins for kSpin and then sleeps: a wake-up costs tens of microseconds, more
// than most kernels.
//
// run() allocates nothing. Called from inside a tile of the same pool it executes inline on that
// worker; called while another thread's run is open it executes inline on the caller, since the
// cores are busy anyway.
//
// Thread safety: run() from any thread. Exceptions never cross: a body is noexcept.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace hyperion::runtime {

class ThreadPool {
 public:
  // Runs tiles [begin, end). `worker` is below threads() and unique among the threads that serve
  // one run, so it may index scratch memory owned by that run.
  using Body = void (*)(void* context, std::int64_t begin, std::int64_t end, int worker) noexcept;

  // `threads` counts the caller: ThreadPool(1) starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  void run(std::int64_t tiles, Body body, void* context);

  // The same for a callable `void(std::int64_t begin, std::int64_t end, int worker) noexcept`.
  template <class F>
  void parallel_for(std::int64_t tiles, F&& f) {
    using Function = std::remove_reference_t<F>;
    static_assert(
        std::is_nothrow_invocable_v<Function&, std::int64_t, std::int64_t, int>,
        "the body of a parallel loop must be noexcept: no thread could catch for another");
    run(
        tiles,
        [](void* context, std::int64_t begin, std::int64_t end, int worker) noexcept {
          (*static_cast<Function*>(context))(begin, end, worker);
        },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  struct Job {
    Body body = nullptr;
    void* context = nullptr;
    std::int64_t tiles = 0;
    std::int64_t tiles_per_unit = 1;  // above 1 only beyond 2^32 tiles
    std::uint32_t units = 0;
  };

  void work(int worker);
  bool run_some(int worker);
  void wait_for_new_epoch(std::uint32_t seen);
  void wait_for_finish();

  const int threads_;
  Job job_;                        // written only while no unit is open; read only after a claim
  std::uint32_t generation_ = 0;   // guarded by busy_
  std::atomic<bool> busy_{false};  // a run is open

  // Each on its own cache line: `open_` changes with every claim, `epoch_` once a run, and workers
  // poll `epoch_`.
  alignas(64) std::atomic<std::uint64_t> open_{0};  // generation << 32 | units left
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace hyperion::runtime

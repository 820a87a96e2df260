// machine.hpp: what the machine itself can do, measured in the same race as everything else: its
// arithmetic peak and its memory bandwidth at a given size.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/cpu/thread_pool.hpp"
#include "tests/benchmark/peers/bench.hpp"

namespace hyperion::benchmark {

// "AMD EPYC 9B14, 2 cores, avx512": for the heading of a report.
std::string machine_text();

// Independent f32 fused multiply-adds in registers, on every thread of the pool: no kernel can be
// faster.
Call fma_loop(runtime::ThreadPool& pool);
double fma_loop_flops(int threads);  // of one call

// McCalpin's STREAM loops over arrays of our own: copy c = a (2 streams), triad a = b + s*c (3
// streams). The arrays take `bytes` together, so a loop of 1 MiB runs in the second-level cache and
// one of 256 MiB in memory.
class StreamLoop {
 public:
  enum class Kind { copy, triad };
  // Non-temporal stores bypass the caches: faster than ordinary ones beyond the last cache, slower
  // inside.
  StreamLoop(Kind kind, std::int64_t bytes, bool non_temporal, runtime::ThreadPool& pool);
  ~StreamLoop();
  StreamLoop(const StreamLoop&) = delete;
  StreamLoop& operator=(const StreamLoop&) = delete;

  Call call() const;              // valid while this object lives
  double bytes_per_call() const;  // counted as STREAM does: read plus written, no write-allocate
  // False where the machine has no non-temporal stores we can use; the loop then uses ordinary
  // ones.
  static bool has_non_temporal();

 private:
  struct Arrays;
  std::unique_ptr<Arrays> arrays_;
};

}  // namespace hyperion::benchmark

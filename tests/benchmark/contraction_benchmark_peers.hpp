// contraction_benchmark_peers.hpp: OpenBLAS, oneDNN, an FMA loop, and a fair clock for comparing
// them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/cpu/thread_pool.hpp"

namespace hyperion::benchmark {

// Row-major, dense; c[m][n].
struct Matmul {
  std::int64_t m, n, k;
  bool lhs_transposed, rhs_transposed;
  float *a, *b, *c;
};

struct Convolution {
  std::int64_t batch, height, width, in_channels, out_channels, kernel, stride, padding;
  float *input, *weights, *output;  // nhwc, hwio, nhwc

  std::int64_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  std::int64_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
};

class Peers {
 public:
  explicit Peers(int threads);
  ~Peers();
  void openblas(const Matmul& problem) const;
  // The better of the matmul primitive (packing inside) and dnnl_sgemm, decided once.
  std::function<void()> onednn_matmul(const Matmul& problem) const;
  // oneDNN in the layouts it likes best, reorders not counted.
  std::function<void()> onednn_convolution(const Convolution& problem) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Independent fused multiply-adds on registers, on every thread of the pool.
void run_fma_loop(runtime::ThreadPool& pool);
double fma_loop_flops(int threads);

// Median seconds for one call of each contender: they take turns, each turn long enough to be
// timed, for about `seconds` each in total. With one thread the clock is the thread's CPU time.
std::vector<double> interleaved_medians(const std::vector<std::function<void()>>& contenders,
                                        double seconds, int threads);

}  // namespace hyperion::benchmark

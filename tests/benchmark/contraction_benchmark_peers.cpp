#include "tests/benchmark/contraction_benchmark_peers.hpp"

#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <oneapi/dnnl/dnnl.hpp>

namespace hyperion::benchmark {
namespace {

constexpr int kFmaIterations = 20000;

#if defined(__x86_64__)
// Twelve chains hide the latency of every core we know. Assembly, because a compiler may keep an
// array of vectors in memory. The values stay at zero, which costs no time on any core.
#define HYP_TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define HYP_FMA_512(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n"
#define HYP_FMA_256(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n"
#define HYP_CLEAR(i) "vxorps %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n"
#define HYP_CLOBBER                                                                              \
  "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
      "xmm11", "xmm12", "xmm13"

void fma_512(int iterations) {
  asm volatile(HYP_TWELVE(HYP_CLEAR) HYP_CLEAR(12)
                   HYP_CLEAR(13) "1:\n" HYP_TWELVE(HYP_FMA_512) "decl %0\n jnz 1b\n vzeroupper\n"
               : "+r"(iterations)::HYP_CLOBBER);
}

void fma_256(int iterations) {
  asm volatile(HYP_TWELVE(HYP_CLEAR) HYP_CLEAR(12)
                   HYP_CLEAR(13) "1:\n" HYP_TWELVE(HYP_FMA_256) "decl %0\n jnz 1b\n vzeroupper\n"
               : "+r"(iterations)::HYP_CLOBBER);
}

bool wide() { return __builtin_cpu_supports("avx512f"); }
void fma_chain(int iterations) { wide() ? fma_512(iterations) : fma_256(iterations); }
double flops_per_iteration() { return 12 * 2 * (wide() ? 16 : 8); }
#else
volatile float g_sink = 0;
void fma_chain(int iterations) {
  float acc = 1;
  for (int i = 0; i < iterations; ++i) acc = std::fma(acc, 0.999f, 0.001f);
  g_sink = acc;
}
double flops_per_iteration() { return 2; }
#endif

double now(int threads) {
  timespec t;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

using Sgemm = void(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a,
                   int lda, const float* b, int ldb, float beta, float* c, int ldc);

dnnl::memory::desc matrix(std::int64_t rows, std::int64_t columns, bool transposed) {
  using Tag = dnnl::memory::format_tag;
  return {{rows, columns}, dnnl::memory::data_type::f32, transposed ? Tag::ba : Tag::ab};
}

double seconds_of(const std::function<void()>& f, int threads) {
  f();
  double best = 1e9, total = 0;
  for (int i = 0; i < 5 && total < 0.1; ++i) {
    const double start = now(threads);
    f();
    const double took = now(threads) - start;
    best = std::min(best, took);
    total += took;
  }
  return best;
}

}  // namespace

struct Peers::Impl {
  int threads;
  Sgemm* sgemm = nullptr;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

Peers::Peers(int threads) {
  // Debian's OpenBLAS does not know recent CPUs and falls back to kernels several times slower.
  if (__builtin_cpu_supports("avx512f")) setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
  setenv("OMP_NUM_THREADS", std::to_string(threads).c_str(), 1);
  setenv("OPENBLAS_NUM_THREADS", std::to_string(threads).c_str(), 1);
  impl_ = std::make_unique<Impl>(Impl{threads});
  if (void* library = dlopen("libopenblas.so.0", RTLD_NOW)) {
    impl_->sgemm = reinterpret_cast<Sgemm*>(dlsym(library, "cblas_sgemm"));
    if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"))) {
      set(threads);
    }
  }
  if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) {
    set(threads);
  }
}

Peers::~Peers() = default;

void Peers::openblas(const Matmul& p) const {
  if (impl_->sgemm == nullptr) return;
  const auto i = [](std::int64_t x) { return static_cast<int>(x); };
  impl_->sgemm(101, p.lhs_transposed ? 112 : 111, p.rhs_transposed ? 112 : 111, i(p.m), i(p.n),
               i(p.k), 1, p.a, i(p.lhs_transposed ? p.m : p.k), p.b,
               i(p.rhs_transposed ? p.k : p.n), 0, p.c, i(p.n));
}

std::function<void()> Peers::onednn_matmul(const Matmul& p) const {
  const dnnl::memory::desc a = matrix(p.m, p.k, p.lhs_transposed);
  const dnnl::memory::desc b = matrix(p.k, p.n, p.rhs_transposed);
  const dnnl::memory::desc c = matrix(p.m, p.n, false);
  const dnnl::matmul::desc desc(a, b, c);
  const dnnl::matmul primitive(dnnl::matmul::primitive_desc(desc, impl_->engine));
  const dnnl::memory ma(a, impl_->engine, p.a), mb(b, impl_->engine, p.b),
      mc(c, impl_->engine, p.c);
  dnnl::stream stream = impl_->stream;
  const std::function<void()> matmul = [=]() mutable {
    primitive.execute(stream, {{DNNL_ARG_SRC, ma}, {DNNL_ARG_WEIGHTS, mb}, {DNNL_ARG_DST, mc}});
    stream.wait();
  };
  const std::function<void()> sgemm = [p] {
    dnnl::sgemm(p.lhs_transposed ? 'T' : 'N', p.rhs_transposed ? 'T' : 'N', p.m, p.n, p.k, 1, p.a,
                p.lhs_transposed ? p.m : p.k, p.b, p.rhs_transposed ? p.k : p.n, 0, p.c, p.n);
  };
  return seconds_of(matmul, impl_->threads) < seconds_of(sgemm, impl_->threads) ? matmul : sgemm;
}

std::function<void()> Peers::onednn_convolution(const Convolution& p) const {
  using Tag = dnnl::memory::format_tag;
  using Desc = dnnl::memory::desc;
  const auto f32 = dnnl::memory::data_type::f32;
  const dnnl::memory::dims source = {p.batch, p.in_channels, p.height, p.width};
  const dnnl::memory::dims weights = {p.out_channels, p.in_channels, p.kernel, p.kernel};
  const dnnl::memory::dims target = {p.batch, p.out_channels, p.out_height(), p.out_width()};
  const dnnl::memory::dims strides = {p.stride, p.stride}, padding = {p.padding, p.padding};
  const dnnl::convolution_forward::desc desc(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
      Desc(source, f32, Tag::any), Desc(weights, f32, Tag::any), Desc(target, f32, Tag::any),
      strides, padding, padding);
  const dnnl::convolution_forward::primitive_desc chosen(desc, impl_->engine);
  const dnnl::convolution_forward primitive(chosen);
  const dnnl::memory x(chosen.src_desc(), impl_->engine), w(chosen.weights_desc(), impl_->engine);
  const dnnl::memory y(chosen.dst_desc(), impl_->engine);
  for (const dnnl::memory& memory : {x, w}) {
    auto* data = static_cast<float*>(memory.get_data_handle());
    std::fill(data, data + memory.get_desc().get_size() / 4, 0.25f);
  }
  dnnl::stream stream = impl_->stream;
  return [=]() mutable {
    primitive.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}});
    stream.wait();
  };
}

void run_fma_loop(runtime::ThreadPool& pool) {
  pool.parallel_for(pool.threads(), [](std::int64_t begin, std::int64_t end, int) noexcept {
    for (std::int64_t i = begin; i < end; ++i) fma_chain(kFmaIterations);
  });
}

double fma_loop_flops(int threads) { return threads * kFmaIterations * flops_per_iteration(); }

std::vector<double> interleaved_medians(const std::vector<std::function<void()>>& contenders,
                                        double seconds, int threads) {
  std::vector<int> repeats;
  std::size_t turns = 15;
  for (const auto& contender : contenders) {
    const double once = seconds_of(contender, threads);
    repeats.push_back(std::max(1, static_cast<int>(seconds / 15 / std::max(once, 1e-7))));
    if (once > seconds / 3) turns = 3;
  }
  std::vector<std::vector<double>> samples(contenders.size());
  for (std::size_t turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      if (turns > 3) contenders[i]();  // bring its operands and code back into the caches
      const double start = now(threads);
      for (int r = 0; r < repeats[i]; ++r) contenders[i]();
      samples[i].push_back((now(threads) - start) / repeats[i]);
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& s : samples) {
    std::nth_element(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(turns / 2), s.end());
    medians.push_back(s[turns / 2]);
  }
  return medians;
}

}  // namespace hyperion::benchmark

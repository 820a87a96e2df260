#include "tests/benchmark/peers/machine.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <new>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hyperion::benchmark {
namespace {

constexpr int kFmaIterations = 20000;  // a call lasts about 0.1 ms
constexpr std::align_val_t kCacheLine{64};
constexpr float kScale = 0.4f;

struct StreamArguments {
  float* to;
  const float* from;
  const float* added;    // triad only
  std::int64_t vectors;  // of 16 floats
};
using StreamKernel = void (*)(const StreamArguments&);

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

bool has_avx512() { return __builtin_cpu_supports("avx512f"); }
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
const char* vector_name() { return has_avx512() ? "avx512" : has_avx2() ? "avx2" : "sse2"; }
void fma_chain(int iterations) { has_avx512() ? fma_512(iterations) : fma_256(iterations); }
double flops_per_iteration() { return 12 * 2 * (has_avx512() ? 16 : 8); }

// One definition of both loops for each instruction set: `W` vectors make up 16 floats.
#define HYP_STREAM_KERNELS(isa, target_isa, Vector, W, LOAD, STORE, STREAM, SET, ADD, MUL) \
  template <bool kTriad, bool kNonTemporal>                                                \
  __attribute__((target(target_isa))) void stream_##isa(const StreamArguments& s) {        \
    const Vector scale = SET(kScale);                                                      \
    for (std::int64_t i = 0; i < s.vectors * (W); ++i) {                                   \
      const std::int64_t at = i * (16 / (W));                                              \
      Vector value = LOAD(s.from + at);                                                    \
      if constexpr (kTriad) value = ADD(value, MUL(scale, LOAD(s.added + at)));            \
      if constexpr (kNonTemporal) {                                                        \
        STREAM(s.to + at, value);                                                          \
      } else {                                                                             \
        STORE(s.to + at, value);                                                           \
      }                                                                                    \
    }                                                                                      \
    if constexpr (kNonTemporal) _mm_sfence();                                              \
  }

HYP_STREAM_KERNELS(avx512, "avx512f", __m512, 1, _mm512_load_ps, _mm512_store_ps, _mm512_stream_ps,
                   _mm512_set1_ps, _mm512_add_ps, _mm512_mul_ps)
HYP_STREAM_KERNELS(sse2, "sse2", __m128, 4, _mm_load_ps, _mm_store_ps, _mm_stream_ps, _mm_set1_ps,
                   _mm_add_ps, _mm_mul_ps)
HYP_STREAM_KERNELS(avx2, "avx2", __m256, 2, _mm256_load_ps, _mm256_store_ps, _mm256_stream_ps,
                   _mm256_set1_ps, _mm256_add_ps, _mm256_mul_ps)

template <bool kTriad, bool kNonTemporal>
StreamKernel stream_kernel() {
  if (has_avx512()) return stream_avx512<kTriad, kNonTemporal>;
  if (has_avx2()) return stream_avx2<kTriad, kNonTemporal>;
  return stream_sse2<kTriad, kNonTemporal>;
}
constexpr bool kHasNonTemporal = true;

#else

const char* vector_name() { return "portable"; }
volatile float g_sink = 0;
void fma_chain(int iterations) {
  float chains[8] = {};
  for (int i = 0; i < iterations; ++i) {
    for (float& chain : chains) chain = std::fma(chain, 0.999f, 0.001f);
  }
  g_sink = chains[0];
}
double flops_per_iteration() { return 8 * 2; }

template <bool kTriad, bool kNonTemporal>
StreamKernel stream_kernel() {
  return [](const StreamArguments& s) {
    for (std::int64_t i = 0; i < s.vectors * 16; ++i) {
      s.to[i] = kTriad ? s.from[i] + kScale * s.added[i] : s.from[i];
    }
  };
}
constexpr bool kHasNonTemporal = false;
#endif

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

}  // namespace

std::string machine_text() {
  return cpu_name() + ", " + std::to_string(std::thread::hardware_concurrency()) + " threads, " +
         vector_name();
}

Call fma_loop(runtime::ThreadPool& pool) {
  return [&pool] {
    pool.parallel_for(pool.threads(), [](std::int64_t begin, std::int64_t end, int) noexcept {
      for (std::int64_t i = begin; i < end; ++i) fma_chain(kFmaIterations);
    });
  };
}

double fma_loop_flops(int threads) { return threads * kFmaIterations * flops_per_iteration(); }

struct StreamLoop::Arrays {
  Arrays(Kind kind, std::int64_t bytes, bool non_temporal, runtime::ThreadPool& used_pool)
      : streams(kind == Kind::triad ? 3 : 2), pool(used_pool) {
    vectors = std::max<std::int64_t>(1, bytes / streams / 64);
    memory = static_cast<float*>(
        ::operator new(static_cast<std::size_t>(vectors * streams) * 64, kCacheLine));
    std::fill(memory, memory + vectors * streams * 16, 1.0f);  // touches the pages, too
    kernel = kind == Kind::triad
                 ? (non_temporal ? stream_kernel<true, true>() : stream_kernel<true, false>())
                 : (non_temporal ? stream_kernel<false, true>() : stream_kernel<false, false>());
  }
  ~Arrays() { ::operator delete(memory, kCacheLine); }

  void run() const {
    const std::int64_t parts = pool.threads();
    pool.parallel_for(parts, [this, parts](std::int64_t begin, std::int64_t end, int) noexcept {
      const std::int64_t first = vectors * begin / parts;
      const std::int64_t last = vectors * end / parts;
      float* at = memory + first * 16;
      kernel({at, at + vectors * 16, at + vectors * 16 * (streams - 1), last - first});
    });
  }

  int streams;
  runtime::ThreadPool& pool;
  std::int64_t vectors = 0;  // of one array
  float* memory = nullptr;
  StreamKernel kernel = nullptr;
};

StreamLoop::StreamLoop(Kind kind, std::int64_t bytes, bool non_temporal, runtime::ThreadPool& pool)
    : arrays_(std::make_unique<Arrays>(kind, bytes, non_temporal, pool)) {}
StreamLoop::~StreamLoop() = default;

Call StreamLoop::call() const {
  return [arrays = arrays_.get()] { arrays->run(); };
}

double StreamLoop::bytes_per_call() const {
  return static_cast<double>(arrays_->vectors * arrays_->streams) * 64;
}

bool StreamLoop::has_non_temporal() { return kHasNonTemporal; }

}  // namespace hyperion::benchmark

// Functions that LLVM knows nothing of: how fast they are in the caches, and how far from the
// truth.
#include <dlfcn.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/benchmark/suites/suites.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace hyperion::benchmark {
namespace {

using Function = Tensor (*)(Operand);
using Truth = double (*)(double);

struct Maths {
  const char* name;
  Function function;
  Truth truth;
};

const Maths kMaths[] = {{"exp", exp, std::exp},
                        {"log", log, std::log},
                        {"tanh", tanh, std::tanh},
                        {"erf", erf, std::erf}};

// glibc's vector library, which compilers call under -ffast-math; its bound is 4 ulp.
Call libmvec(const std::string& name, const std::vector<float>& from, std::vector<float>& to) {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx512f")) return {};
  void* library = dlopen("libmvec.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return {};
  using Vector = __m512 (*)(__m512);
  const auto function =
      reinterpret_cast<Vector>(dlsym(library, ("_ZGVeN16v_" + name + "f").c_str()));
  if (function == nullptr) return {};
  return [function, &from, &to]() __attribute__((target("avx512f"))) {
    for (std::size_t i = 0; i + 16 <= from.size(); i += 16) {
      _mm512_storeu_ps(&to[i], function(_mm512_loadu_ps(&from[i])));
    }
  };
#else
  return {};
#endif
}

void speed_row(Session& s, const Maths& maths) {
  constexpr std::int64_t kCount = 64 * 1024;  // 256 KiB in and out: the second-level cache
  Tensor x = noise({kCount}, 7);
  if (maths.truth == kMaths[1].truth) x = (x + 1.5).eval();
  const auto f = jit([&](const Tensor& t) { return maths.function(t); });
  const std::vector<float> input = host(x);
  std::vector<float> output(input.size());
  std::vector<Contender> contenders{timed("hyperion", [&] { f(x).eval(); }, s.threads)};
  // The library has no threads of its own.
  const Call peer = s.threads == 1 ? libmvec(maths.name, input, output) : Call();
  if (peer) contenders.push_back(timed("libmvec", peer, s.threads));
  const std::vector<double> seconds = race(contenders);
  Row row{.suite = "maths",
          .name = maths.name,
          .shape = std::to_string(kCount),
          .threads = s.threads,
          .median = kCount / seconds[0] * 1e-9,
          .unit = "Gelem/s",
          .peer = "peer absent"};
  if (peer) {
    row.peer = "libmvec";
    row.peer_median = kCount / seconds[1] * 1e-9;
  }
  s.report.add(row);
}

// The distance of `value` from `truth` in units of the last place of an f32 of truth's size.
double ulps(float value, double truth) {
  const auto rounded = static_cast<float>(truth);
  if (value == rounded || (std::isnan(value) && std::isnan(rounded))) {
    if (!std::isfinite(rounded)) return 0;
  }
  if (std::isnan(value) || std::isnan(truth)) return std::numeric_limits<double>::infinity();
  // Beyond the largest float, infinity stands for the next power of two.
  const double got = std::isinf(value) ? std::copysign(0x1p128, value) : value;
  const double wanted = std::isinf(truth) ? std::copysign(0x1p128, truth) : truth;
  const int exponent = wanted == 0 ? -126 : std::max(-126, std::ilogb(wanted));
  return std::abs(got - wanted) / std::ldexp(1.0, exponent - 23);
}

// Every `stride`-th bit pattern, so that all magnitudes, signs and special values are there.
void error_row(Session& s, const Maths& maths) {
  constexpr std::int64_t kCount = 1 << 20;
  const std::uint64_t stride = s.quick ? 997 : 61;
  const auto f = jit([&](const Tensor& t) { return maths.function(t); });
  double worst = 0;
  std::uint64_t next = 0, sampled = 0;
  while (next < (std::uint64_t{1} << 32)) {
    std::vector<float> input(kCount, 1.0f);
    std::size_t filled = 0;
    for (; filled < input.size() && next < (std::uint64_t{1} << 32); next += stride) {
      input[filled++] = std::bit_cast<float>(static_cast<std::uint32_t>(next));
    }
    const std::vector<float> output = f(from_vector(input, {kCount})).to_vector<float>();
    for (std::size_t i = 0; i < filled; ++i) {
      worst = std::max(worst, ulps(output[i], maths.truth(input[i])));
    }
    sampled += filled;
  }
  s.report.add({.suite = "maths",
                .name = std::string(maths.name) + ", largest error",
                .shape = std::to_string(sampled) + " floats",
                .threads = s.threads,
                .median = worst,
                .unit = "ulp",
                .peer = "libm in f64"});
}

}  // namespace

void maths_rows(Session& s) {
  for (const Maths& maths : kMaths) {
    speed_row(s, maths);
    // Threads do not change bits.
    if (s.threads == 1) error_row(s, maths);
  }
}

}  // namespace hyperion::benchmark

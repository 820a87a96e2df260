#include "tests/benchmark/peers/peers.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

namespace hyperion::benchmark {
namespace {

// cblas.h, of which one function is needed.
constexpr int kRowMajor = 101;
constexpr int kNoTrans = 111;
constexpr int kTrans = 112;
using Sgemm = void(int order, int lhs, int rhs, int m, int n, int k, float alpha, const float* a,
                   int lda, const float* b, int ldb, float beta, float* c, int ldc);

template <class Function>
Function* symbol(void* library, const char* name) {
  return library == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library, name));
}

class OpenBlasMatmul final : public PeerKernel {
 public:
  OpenBlasMatmul(Sgemm* sgemm, const Matmul& problem) : sgemm_(sgemm), p_(problem) {}
  void run() override {
    const auto narrow = [](std::int64_t x) { return static_cast<int>(x); };
    sgemm_(kRowMajor, p_.lhs_transposed ? kTrans : kNoTrans, p_.rhs_transposed ? kTrans : kNoTrans,
           narrow(p_.m), narrow(p_.n), narrow(p_.k), 1.0f, p_.a,
           narrow(p_.lhs_transposed ? p_.m : p_.k), p_.b, narrow(p_.rhs_transposed ? p_.k : p_.n),
           0.0f, p_.c, narrow(p_.n));
  }

 private:
  Sgemm* sgemm_;
  const Matmul p_;
};

void configure_environment(int threads) {
  const std::string count = std::to_string(threads);
  setenv("OMP_NUM_THREADS", count.c_str(), 1);
  setenv("OPENBLAS_NUM_THREADS", count.c_str(), 1);
#if defined(__x86_64__)
  // Debian's OpenBLAS does not know recent CPUs and falls back to kernels several times slower.
  if (__builtin_cpu_supports("avx512f")) setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
#endif
  // Idle OpenBLAS threads spin for 2^n cycles before they sleep. The default is a tenth of a
  // second, in which they would steal a core from whoever has the next turn; 2^22 is about a
  // millisecond.
  setenv("OPENBLAS_THREAD_TIMEOUT", "22", 0);
}

// The module lies beside the executable, wherever both were moved to.
void* open_onednn_module() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto module = self.parent_path() / "libhyperion_peer_onednn.so";
  return error ? nullptr : dlopen(module.c_str(), RTLD_NOW | RTLD_LOCAL);
}

}  // namespace

struct Peers::Impl {
  Sgemm* sgemm = nullptr;
  std::string openblas_version;
  void* onednn = nullptr;

  template <class Problem>
  std::unique_ptr<PeerKernel> prepare(const char* name, const Problem& problem) const {
    auto* make = symbol<PeerKernel*(const Problem&)>(onednn, name);
    return std::unique_ptr<PeerKernel>(make == nullptr ? nullptr : make(problem));
  }
};

Peers::Peers(int threads) : impl_(std::make_unique<Impl>()) {
  configure_environment(threads);
  if (void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL)) {
    impl_->sgemm = symbol<Sgemm>(library, "cblas_sgemm");
    if (auto* set = symbol<void(int)>(library, "openblas_set_num_threads")) set(threads);
    if (auto* config = symbol<char*()>(library, "openblas_get_config")) {
      const std::string text = config();  // "OpenBLAS 0.3.21 DYNAMIC_ARCH ..."
      impl_->openblas_version = text.substr(0, text.find(' ', text.find(' ') + 1));
    }
  }
  impl_->onednn = open_onednn_module();
  if (auto* set = symbol<void(int)>(impl_->onednn, "hyperion_onednn_set_threads")) set(threads);
}

Peers::~Peers() = default;

std::string Peers::openblas_version() const {
  return impl_->sgemm == nullptr ? "" : impl_->openblas_version;
}

std::string Peers::onednn_version() const {
  auto* version = symbol<const char*()>(impl_->onednn, "hyperion_onednn_version");
  return version == nullptr ? "" : version();
}

std::unique_ptr<PeerKernel> Peers::openblas_matmul(const Matmul& problem) const {
  if (impl_->sgemm == nullptr) return nullptr;
  return std::make_unique<OpenBlasMatmul>(impl_->sgemm, problem);
}

std::unique_ptr<PeerKernel> Peers::onednn_matmul(const Matmul& problem) const {
  auto primitive = impl_->prepare("hyperion_onednn_matmul", problem);
  auto sgemm = impl_->prepare("hyperion_onednn_sgemm", problem);
  if (!primitive || !sgemm) return nullptr;
  constexpr double kShortTurn = 0.005;
  const std::vector<double> seconds =
      race({timed(
                "primitive", [&] { primitive->run(); }, 0, kShortTurn),
            timed(
                "sgemm", [&] { sgemm->run(); }, 0, kShortTurn)},
           3);
  return seconds[0] < seconds[1] ? std::move(primitive) : std::move(sgemm);
}

std::unique_ptr<PeerKernel> Peers::onednn_convolution(const Convolution& problem) const {
  return impl_->prepare("hyperion_onednn_convolution", problem);
}

std::unique_ptr<PeerKernel> Peers::onednn_softmax(const Rows& problem) const {
  return impl_->prepare("hyperion_onednn_softmax", problem);
}

std::unique_ptr<PeerKernel> Peers::onednn_layer_norm(const Rows& problem) const {
  return impl_->prepare("hyperion_onednn_layer_norm", problem);
}

}  // namespace hyperion::benchmark

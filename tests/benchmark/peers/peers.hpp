// peers.hpp: other people's libraries, doing the same work on the same memory.
//
// Nothing here is needed to build: OpenBLAS is opened by name at run time, oneDNN through a small
// module that is built when its headers are found and lies beside the executable, and PyTorch
// answers from a child process. A peer that is missing is reported as absent; nothing fails.
//
// Each is set up as its users should set it up, not as it comes: OpenBLAS gets the kernels of this
// CPU where its detection fails, both get the thread count of the race, oneDNN chooses its own
// layouts and their conversion is not counted. A win against a misconfigured peer is no win.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tests/benchmark/peers/bench.hpp"

namespace hyperion::benchmark {

// All arrays are dense, row-major f32, and stay valid as long as the calls made from them.
struct Matmul {  // c[m, n] = a[m, k] * b[k, n]; a transposed operand is stored the other way round
  std::int64_t m, n, k;
  bool lhs_transposed = false;
  bool rhs_transposed = false;
  const float* a = nullptr;
  const float* b = nullptr;
  float* c = nullptr;
};

struct Convolution {  // 2-D, square kernel
  enum class Epilogue {
    none,
    fused,     // bias and relu inside the convolution
    separate,  // bias inside, relu as a second operation, as an eager framework does
  };
  std::int64_t batch, height, width, in_channels, out_channels, kernel, stride = 1, padding = 0;
  Epilogue epilogue = Epilogue::none;
  const float* input = nullptr;    // [batch, height, width, in_channels]
  const float* weights = nullptr;  // [kernel, kernel, in_channels, out_channels]
  const float* bias = nullptr;     // [out_channels], unless the epilogue is none
  float* output = nullptr;         // [batch, out_height, out_width, out_channels]

  std::int64_t out_height() const { return (height + 2 * padding - kernel) / stride + 1; }
  std::int64_t out_width() const { return (width + 2 * padding - kernel) / stride + 1; }
};

struct Rows {  // softmax or layer_norm of each row
  std::int64_t rows, columns;
  const float* input = nullptr;
  float* output = nullptr;
  const float* scale = nullptr;  // layer_norm only
  const float* shift = nullptr;  // layer_norm only
  float epsilon = 1e-5f;
};

// What a peer prepared: `run` is what is timed; `collect` puts the result into the plain output
// array, for checking.
class PeerKernel {
 public:
  virtual ~PeerKernel() = default;
  virtual void run() = 0;
  virtual void collect() {}
};

class Peers {
 public:
  // Configures the libraries for `threads`. At most one Peers lives at a time: the libraries'
  // settings are global.
  explicit Peers(int threads);
  ~Peers();

  // Empty when absent.
  std::string openblas_version() const;
  std::string onednn_version() const;

  // Each gives nullptr when the peer is absent.
  std::unique_ptr<PeerKernel> openblas_matmul(const Matmul& problem) const;
  // The better of oneDNN's two interfaces for it (primitive, dnnl_sgemm), decided by a short race.
  std::unique_ptr<PeerKernel> onednn_matmul(const Matmul& problem) const;
  std::unique_ptr<PeerKernel> onednn_convolution(const Convolution& problem) const;
  std::unique_ptr<PeerKernel> onednn_softmax(const Rows& problem) const;
  std::unique_ptr<PeerKernel> onednn_layer_norm(const Rows& problem) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A PyTorch process that trains a model step by step on request, so that it can take turns with us.
class PyTorch {
 public:
  // nullopt when there is no Python with PyTorch; `reason` then says so in a sentence.
  static std::optional<PyTorch> start(const std::string& script, std::string& reason);
  PyTorch(PyTorch&&) noexcept;
  ~PyTorch();

  std::string version() const;
  // model: "mlp" (128 x 784-512-10) or "cnn"; each call of `turn` runs about a turn of training
  // steps.
  Contender training_step(const std::string& model, int threads);

 private:
  struct Process;
  explicit PyTorch(std::unique_ptr<Process> process);
  std::unique_ptr<Process> process_;
};

}  // namespace hyperion::benchmark

// target.hpp: which GPU code is generated for, as a plain record. No GPU is needed to have one.
#pragma once

#include <string>
#include <string_view>

#include "ir/support/status.hpp"

namespace hyperion::runtime::cuda {
struct DeviceProperties;
}

namespace hyperion::codegen {

struct CudaTarget {
  std::string architecture = "sm_90a";  // as NVRTC names it
  int multiprocessors = 132;
  int block_shared_bytes = 227 << 10;  // most that one block can ask for
  // Results have the interpreter's bits: sums keep its 64 partial results. Otherwise the shape of the machine decides
  // in which order elements are summed: always the same order, so results do not change from run to run.
  bool bitwise = false;
  bool tf32 = false;  // products of f32 may round their factors to tf32
  bool wgmma = true;  // where the GPU has it; otherwise products are those of older GPUs
  // "NVIDIA H200" and 13000, of the device at hand: what was measured on one such is used there. Empty: a common
  // machine of its architecture, for which nothing was.
  std::string device;
  int driver = 0;

  int compute() const;  // 90 for sm_90a
  bool has_wgmma() const { return architecture == "sm_90a" && wgmma; }
  bool has_mma() const { return compute() >= 80; }  // with bf16, tf32 and asynchronous copies
  // Clusters of blocks, and kernels that may be launched while the one before still runs.
  bool has_clusters() const { return compute() >= 90; }
  std::string key() const;

  static CudaTarget of(const runtime::cuda::DeviceProperties& device);
};

// "sm_90a", "sm_80", ...: a common machine of that architecture. invalid_argument for what is not one.
StatusOr<CudaTarget> cuda_target(std::string_view architecture);

}  // namespace hyperion::codegen

#include "codegen/cuda/target.hpp"

#include <charconv>

#include "ir/support/format.hpp"
#include "runtime/cuda/context.hpp"

namespace hyperion::codegen {

int CudaTarget::compute() const {
  int number = 0;
  std::from_chars(architecture.data() + 3, architecture.data() + architecture.size(), number);
  return number;
}

std::string CudaTarget::key() const {
  return format("cuda {}, {}{}{} multiprocessors, {} B shared{}{}{}", architecture, device, device.empty() ? "" : ", ",
                multiprocessors, block_shared_bytes, bitwise ? ", bitwise" : "", tf32 ? ", tf32" : "",
                wgmma ? "" : ", no wgmma");
}

CudaTarget CudaTarget::of(const runtime::cuda::DeviceProperties& device) {
  return {.architecture = device.architecture(),
          .multiprocessors = device.multiprocessors,
          .block_shared_bytes = device.block_shared_bytes,
          .device = device.name,
          .driver = device.driver_version};
}

StatusOr<CudaTarget> cuda_target(std::string_view architecture) {
  struct Known {
    std::string_view name;
    int multiprocessors, shared_kib;
  };
  // NVIDIA's tables of compute capabilities; multiprocessors of T4, A100, A10, L40 and H200.
  static constexpr Known known[] = {{"sm_75", 40, 64},  {"sm_80", 108, 163}, {"sm_86", 72, 99},
                                    {"sm_89", 142, 99}, {"sm_90", 132, 227}, {"sm_90a", 132, 227}};
  for (const Known& one : known) {
    if (one.name != architecture) continue;
    return CudaTarget{.architecture = std::string(one.name),
                      .multiprocessors = one.multiprocessors,
                      .block_shared_bytes = one.shared_kib << 10};
  }
  std::string names;
  for (const Known& one : known) names += format("{}{}", names.empty() ? "" : ", ", one.name);
  return error_status(Code::invalid_argument,
                      format("'{}' is not a GPU architecture that code is generated for", architecture), {},
                      "known: " + names);
}

}  // namespace hyperion::codegen

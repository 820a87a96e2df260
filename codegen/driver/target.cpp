#include "codegen/driver/target.hpp"

#include "codegen/driver/target_of.hpp"
#include "ir/support/format.hpp"
#include "runtime/cuda/device.hpp"

namespace hyperion::codegen {

std::string key(const Target& target) {
  return std::visit([](const auto& one) { return one.key(); }, target);
}

StatusOr<Target> target_of(const runtime::Device& device) {
  if (device.kind() == "cpu") return host_target();
  if (const auto properties = runtime::cuda::properties_of(device)) return CudaTarget::of(*properties);
  return error_status(Code::unimplemented, format("no code is generated for devices of kind '{}'", device.kind()),
                      device.name());
}

}  // namespace hyperion::codegen

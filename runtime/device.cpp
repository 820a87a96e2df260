#include "runtime/device.hpp"

#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime {
namespace {

std::string device_name(std::string_view kind, int ordinal) {
  return format("{}:{}", kind, ordinal);
}

}  // namespace

Device::State::State(std::string device_kind, const CpuOptions& options)
    : kind(std::move(device_kind)),
      ordinal(options.ordinal),
      allocator(device_name(kind, ordinal), options.memory_limit),
      pool(options.threads > 0 ? options.threads : host_info().cores) {}

Device Device::make_cpu(const CpuOptions& options) {
  return Device(std::make_shared<State>("cpu", options));
}

std::string Device::name() const { return device_name(kind(), ordinal()); }

}  // namespace hyperion::runtime

#include "runtime/device_kinds.hpp"

#include <charconv>

#include "ir/support/format.hpp"
#include "runtime/cuda/device.hpp"

namespace hyperion::runtime {
namespace {

StatusOr<Device> open_host(int ordinal, std::uint64_t memory_limit) {
  if (ordinal != 0) {
    return error_status(Code::not_found, format("there is no cpu:{}, only cpu:0", ordinal));
  }
  return Device::make_cpu({.memory_limit = memory_limit});
}

StatusOr<std::vector<std::string>> describe_host() {
  return std::vector{Device::make_cpu({.threads = 1}).description()};
}

constexpr DeviceKind kKinds[] = {
    {"cpu", describe_host, open_host},
    {"cuda", cuda::describe_devices, cuda::open_device, cuda::describe_compiler},
};

}  // namespace

std::span<const DeviceKind> device_kinds() { return kKinds; }

StatusOr<DeviceName> parse_device_name(std::string_view text) {
  DeviceName name;
  const std::size_t colon = text.find(':');
  for (const DeviceKind& kind : kKinds) {
    if (kind.name == text.substr(0, colon)) name.kind = &kind;
  }
  bool is_good = name.kind != nullptr;
  if (colon != std::string_view::npos) {
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, name.ordinal);
    is_good = is_good && read.ec == std::errc() && read.ptr == end && name.ordinal >= 0;
  }
  if (is_good) return name;
  std::string known;
  for (const DeviceKind& kind : kKinds)
    known += format("{}{}", known.empty() ? "" : ", ", kind.name);
  return error_status(Code::invalid_argument, format("'{}' names no device", text), {},
                      format("write a kind ({}) or a kind and a number, as cuda:1", known));
}

}  // namespace hyperion::runtime

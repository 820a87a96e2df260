// device_kinds.hpp: the kinds of device there are: one table, the only place that knows them all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/device.hpp"

namespace hyperion::runtime {

struct DeviceKind {
  std::string_view name;  // "cuda"
  // A description of each device of this machine, by ordinal; or why there is none.
  StatusOr<std::vector<std::string>> (*describe)();
  StatusOr<Device> (*open)(int ordinal, std::uint64_t memory_limit);
  // What of this machine its code is compiled by, or why by nothing; null: the compiler is our own.
  StatusOr<std::string> (*describe_compiler)() = nullptr;
};

// The host's first.
std::span<const DeviceKind> device_kinds();

// "cuda:1" or "cuda", which is cuda:0. invalid_argument names the kinds there are.
struct DeviceName {
  const DeviceKind* kind = nullptr;
  int ordinal = 0;
};
StatusOr<DeviceName> parse_device_name(std::string_view text);

}  // namespace hyperion::runtime

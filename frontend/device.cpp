#include "frontend/device.hpp"

#include <atomic>
#include <bit>
#include <cstdlib>
#include <limits>
#include <ostream>

#include "frontend/engine.hpp"
#include "frontend/error.hpp"
#include "frontend/user_line.hpp"
#include "ir/support/format.hpp"
#include "runtime/device_kinds.hpp"

namespace hyperion {
namespace {

constexpr const char* kVariable = "HYPERION_DEVICE";

struct ThreadDefault {
  Device device;
  bool is_set = false;
};
thread_local ThreadDefault of_thread;

// A Device in its low half once somebody has asked for it or set it. An atomic, since every op without operands reads
// it.
constexpr std::uint64_t kUnset = std::numeric_limits<std::uint64_t>::max();
std::atomic<std::uint64_t> of_process{kUnset};

std::uint64_t packed(Device device) { return std::bit_cast<std::uint32_t>(device); }

Device from_environment() {
  const char* name = std::getenv(kVariable);
  if (name == nullptr || *name == '\0') return {};
  StatusOr<Device> device = Device::parse(name);
  if (device) return *device;
  frontend::raise(Location(), "device.name", format("{}: {}", kVariable, device.error().message),
                  device.error().advice);
}

}  // namespace

StatusOr<Device> Device::parse(std::string_view name) {
  HYP_TRY(const runtime::DeviceName parsed, runtime::parse_device_name(name));
  if (parsed.ordinal > std::numeric_limits<std::uint16_t>::max()) {
    return error_status(Code::invalid_argument, format("no machine has a device '{}'", name), {},
                        "devices count from 0");
  }
  return of(parsed.kind->name, parsed.ordinal);
}

Device::Device(const char* name, Where where) : Device(std::string(name), where) {}

Device::Device(const std::string& name, Where where) {
  const StatusOr<Device> parsed = parse(name);
  if (!parsed) {
    frontend::raise(frontend::user_line(where), "device.name", parsed.error().message, parsed.error().advice);
  }
  *this = *parsed;
}

Device Device::of(std::string_view kind, int ordinal) {
  Device device;
  while (runtime::device_kinds()[device.kind_].name != kind) ++device.kind_;
  device.ordinal_ = static_cast<std::uint16_t>(ordinal);
  return device;
}

std::string_view Device::kind() const { return runtime::device_kinds()[kind_].name; }
std::string Device::name() const { return format("{}:{}", kind(), ordinal()); }

std::ostream& operator<<(std::ostream& out, Device device) { return out << device.name(); }

Device default_device() {
  if (of_thread.is_set) return of_thread.device;
  std::uint64_t device = of_process.load(std::memory_order_relaxed);
  if (device == kUnset) {
    // Another thread may have set it meanwhile: then that one stands.
    const std::uint64_t found = packed(from_environment());
    if (of_process.compare_exchange_strong(device, found)) device = found;
  }
  return std::bit_cast<Device>(static_cast<std::uint32_t>(device));
}

void set_default_device(Device device, std::source_location where) {
  if (device != Device()) {
    if (const auto usable = frontend::runtime_device(device); !usable) {
      frontend::raise(frontend::user_line(where), usable.error());
    }
  }
  of_process.store(packed(device), std::memory_order_relaxed);
}

ScopedDevice::ScopedDevice(Device device) : previous_(of_thread.device), had_previous_(of_thread.is_set) {
  of_thread = {device, true};
}

ScopedDevice::~ScopedDevice() { of_thread = {previous_, had_previous_}; }

}  // namespace hyperion

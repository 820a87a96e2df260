#include "tools/hyperion/device_choice.hpp"

#include "frontend/device.hpp"
#include "frontend/engine.hpp"
#include "ir/support/format.hpp"

namespace hyperion::tools {

void choose_device(const std::string& device, int threads) {
  frontend::set_instance(runtime::Instance::create({.threads = threads}));
  const Device chosen = device.empty() ? default_device() : value_or_throw(Device::parse(device));
  value_or_throw(frontend::runtime_device(chosen));
  set_default_device(chosen);
}

std::string chosen_device_text() {
  const runtime::Device device = value_or_throw(frontend::runtime_device(default_device()));
  if (device.is_host()) return format("{}, {} threads", device.name(), device.threads());
  const std::string description = device.description();
  return format("{}, {}", device.name(), description.substr(0, description.find(',')));
}

}  // namespace hyperion::tools

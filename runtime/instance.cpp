#include "runtime/instance.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/check.hpp"
#include "runtime/device_kinds.hpp"

namespace hyperion::runtime {

std::shared_ptr<Instance> Instance::create(const InstanceOptions& options) {
  return std::shared_ptr<Instance>(new Instance(options));
}

Instance::Instance(const InstanceOptions& options)
    : devices_{Device::make_cpu(
          {.threads = options.threads, .memory_limit = options.memory_limit})},
      memory_limit_(options.memory_limit) {}

// Under the lock all the while: two threads that ask for the same GPU get one device.
StatusOr<Device> Instance::device(std::string_view name) {
  HYP_TRY(const DeviceName wanted, parse_device_name(name));
  const auto is_it = [&](const Device& device) {
    return device.kind() == wanted.kind->name && device.ordinal() == wanted.ordinal;
  };
  std::lock_guard lock(mutex_);
  for (const std::span<const Device> known :
       {std::span(devices_), std::span<const Device>(opened_)}) {
    const auto found = std::ranges::find_if(known, is_it);
    if (found != known.end()) return *found;
  }
  HYP_TRY(Device opened, wanted.kind->open(wanted.ordinal, memory_limit_));
  opened_.push_back(opened);
  return opened;
}

void Instance::add_device(Device device) {
  HYP_CHECK(!owns(device), "an instance has each device once");
  std::lock_guard lock(mutex_);
  opened_.push_back(std::move(device));
}

bool Instance::owns(const Device& device) const {
  std::lock_guard lock(mutex_);
  return std::ranges::find(devices_, device) != devices_.end() ||
         std::ranges::find(opened_, device) != opened_.end();
}

void Instance::set_code_loader(std::shared_ptr<CodeLoader> loader) {
  std::lock_guard lock(mutex_);
  code_loader_ = std::move(loader);
}

std::shared_ptr<CodeLoader> Instance::code_loader() const {
  std::lock_guard lock(mutex_);
  return code_loader_;
}

}  // namespace hyperion::runtime

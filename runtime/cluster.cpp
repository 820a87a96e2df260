#include "runtime/cluster.hpp"

#include <utility>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"

namespace hyperion::runtime {

Link Network::link(int source, int destination) const {
  HYP_CHECK(source == 0 && destination == 0, "a link joins two devices of the cluster");
  return {};
}

DeviceCluster::DeviceCluster(std::shared_ptr<Instance> instance, std::vector<Device> devices)
    : instance_(std::move(instance)), devices_(std::move(devices)) {}

StatusOr<DeviceCluster> DeviceCluster::create(std::shared_ptr<Instance> instance,
                                              std::span<const Device> devices) {
  if (devices.empty()) return error_status(Code::invalid_argument, "a cluster of no devices");
  if (devices.size() > 1) {
    return error_status(Code::unimplemented,
                        format("a cluster of {} devices: only one is supported", devices.size()));
  }
  if (!instance->owns(devices.front())) {
    return error_status(Code::invalid_argument,
                        format("{} belongs to another instance", devices.front().name()));
  }
  return DeviceCluster(std::move(instance), {devices.begin(), devices.end()});
}

DeviceCluster DeviceCluster::local(std::shared_ptr<Instance> instance) {
  std::vector<Device> devices = {instance->devices().front()};
  return DeviceCluster(std::move(instance), std::move(devices));
}

}  // namespace hyperion::runtime

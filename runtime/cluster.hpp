// cluster.hpp: the devices that run one program together, and the network between them.
//
// A cluster is an immutable value. Its Network is a read-only property, not an object of its own:
// who the members are and how they are linked is decided when the cluster is made. Today a cluster
// has one member; asking for more is `unimplemented`, never silently a world of one.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/device.hpp"
#include "runtime/instance.hpp"

namespace hyperion::runtime {

struct Link {
  enum class Class : std::uint8_t { same_device, nvlink, pcie, host, fabric, isolated };
  Class link_class = Class::same_device;
  double bytes_per_second = std::numeric_limits<double>::infinity();
  double latency_seconds = 0;
};

class Network {
 public:
  std::string_view backend() const { return "local"; }
  int rank() const { return 0; }
  int size() const { return 1; }
  // REQUIRES: both below the number of devices.
  Link link(int source, int destination) const;
};

class DeviceCluster {
 public:
  static StatusOr<DeviceCluster> create(std::shared_ptr<Instance> instance,
                                        std::span<const Device> devices);
  // The instance's first device alone.
  static DeviceCluster local(std::shared_ptr<Instance> instance);

  std::span<const Device> devices() const { return devices_; }
  const Device& device() const { return devices_.front(); }
  const Network& network() const { return network_; }
  Instance& instance() const { return *instance_; }

 private:
  DeviceCluster(std::shared_ptr<Instance> instance, std::vector<Device> devices);

  std::shared_ptr<Instance> instance_;
  std::vector<Device> devices_;
  Network network_;
};

}  // namespace hyperion::runtime

// device.hpp: GPUs as devices of the runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/context.hpp"
#include "runtime/cuda/stream.hpp"
#include "runtime/device.hpp"

namespace hyperion::runtime::cuda {

// "NVIDIA H200, sm_90a, 139.8 GiB at 4.8 TB/s, driver for CUDA 13.0, ...".
std::string describe(const DeviceProperties& properties);

// A description of each GPU, without opening it; why there is none.
StatusOr<std::vector<std::string>> describe_devices();

// "NVRTC 13.0"; why there is none.
StatusOr<std::string> describe_compiler();

// cuda:`ordinal` with its primary context. `memory_limit` in bytes; 0: none.
StatusOr<Device> open_device(int ordinal, std::uint64_t memory_limit = 0);
StatusOr<Device> make_device(std::shared_ptr<Context> context, std::uint64_t memory_limit = 0);

// Of a device made above; null for any other.
const DeviceProperties* properties_of(const Device& device);
// That everything of the device is ordered by: for whoever times its work.
Stream* stream_of(const Device& device);

}  // namespace hyperion::runtime::cuda

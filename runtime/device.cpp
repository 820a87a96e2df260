#include "runtime/device.hpp"

#include <utility>

#include "ir/support/format.hpp"
#include "runtime/cpu/host_backend.hpp"

namespace hyperion::runtime {
namespace {

std::string device_name(std::string_view kind, int ordinal) {
  return format("{}:{}", kind, ordinal);
}

}  // namespace

Device::State::State(std::string device_kind, int number, std::unique_ptr<Backend> device_backend,
                     std::uint64_t memory_limit, int threads)
    : kind(std::move(device_kind)),
      ordinal(number),
      backend(std::move(device_backend)),
      allocator(device_name(kind, ordinal), memory_limit, backend->memory()),
      pool(threads) {}

Device Device::make_cpu(const CpuOptions& options) {
  const int threads = options.threads > 0 ? options.threads : host_info().cores;
  return Device(std::make_shared<State>("cpu", options.ordinal, make_host_backend(threads),
                                        options.memory_limit, threads));
}

Device Device::make(std::string kind, int ordinal, std::unique_ptr<Backend> backend,
                    std::uint64_t memory_limit) {
  return Device(std::make_shared<State>(std::move(kind), ordinal, std::move(backend), memory_limit,
                                        /*threads=*/1));
}

std::string Device::name() const { return device_name(kind(), ordinal()); }

}  // namespace hyperion::runtime

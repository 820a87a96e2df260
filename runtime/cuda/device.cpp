#include "runtime/cuda/device.hpp"

#include <utility>

#include "ir/support/format.hpp"
#include "runtime/cuda/code.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/cuda/pool.hpp"
#include "runtime/cuda/queue.hpp"
#include "runtime/cuda/staging.hpp"

namespace hyperion::runtime::cuda {
namespace {

class CudaBackend final : public Backend {
 public:
  static StatusOr<std::unique_ptr<Backend>> create(std::shared_ptr<Context> context) {
    HYP_TRY(auto stream, Stream::create(context));
    HYP_TRY(auto pool, Pool::create(context));
    return std::unique_ptr<Backend>(
        new CudaBackend(std::move(context), std::move(stream), std::move(pool)));
  }

  MemorySource& memory() override { return *pool_; }
  StatusOr<> upload(std::byte* to, std::span<const std::byte> from) override {
    return staging_.upload(*stream_, reinterpret_cast<CUdeviceptr>(to), from);
  }
  StatusOr<> download(std::span<std::byte> to, const std::byte* from) override {
    return staging_.download(*stream_, to, reinterpret_cast<CUdeviceptr>(from));
  }
  std::unique_ptr<DeviceQueue> make_queue() override {
    return std::make_unique<CudaQueue>(*stream_, staging_);
  }
  CodeLoader* code_loader() override { return code_loader_.get(); }
  std::string description() const override { return describe(context_->properties()); }
  const DeviceProperties& properties() const { return context_->properties(); }
  Stream& stream() const { return *stream_; }

 private:
  CudaBackend(std::shared_ptr<Context> context, std::unique_ptr<Stream> stream,
              std::unique_ptr<Pool> pool)
      : context_(std::move(context)),
        stream_(std::move(stream)),
        pool_(std::move(pool)),
        staging_(context_),
        code_loader_(make_code_loader(context_)) {}

  const std::shared_ptr<Context> context_;
  const std::unique_ptr<Stream> stream_;  // orders everything that happens on the device
  const std::unique_ptr<Pool> pool_;
  Staging staging_;
  const std::unique_ptr<CodeLoader> code_loader_;
};

}  // namespace

std::string describe(const DeviceProperties& device) {
  // Double data rate: two transfers a clock.
  const double bytes_per_second = 2.0 * 1e3 * device.memory_clock_khz * device.memory_bus_bits / 8;
  return format(
      "{}, {}, {} at {:.1f} TB/s, driver for CUDA {}; {} multiprocessors at {:.2f} GHz with {} "
      "threads "
      "and {} KiB of shared memory each, {} threads and {} KiB in a block, L2 {} MiB",
      device.name, device.architecture(), readable_bytes(device.memory_bytes),
      bytes_per_second / 1e12, version_text(device.driver_version), device.multiprocessors,
      device.clock_khz / 1e6, device.multiprocessor_threads,
      device.multiprocessor_shared_bytes / 1024, device.block_threads,
      device.block_shared_bytes / 1024, device.l2_bytes >> 20);
}

StatusOr<std::vector<std::string>> describe_devices() {
  HYP_TRY(const auto driver, Driver::load());
  HYP_TRY(const auto devices, list_devices(*driver));
  std::vector<std::string> descriptions;
  for (const DeviceProperties& device : devices) descriptions.push_back(describe(device));
  return descriptions;
}

StatusOr<std::string> describe_compiler() {
  HYP_TRY(const auto nvrtc, Nvrtc::load());
  return format("NVRTC {}", version_text(nvrtc->version()));
}

StatusOr<Device> open_device(int ordinal, std::uint64_t memory_limit) {
  HYP_TRY(auto driver, Driver::load());
  HYP_TRY(auto context, Context::create(std::move(driver), ordinal));
  return make_device(std::move(context), memory_limit);
}

StatusOr<Device> make_device(std::shared_ptr<Context> context, std::uint64_t memory_limit) {
  const int ordinal = context->properties().ordinal;
  HYP_TRY(auto backend, CudaBackend::create(std::move(context)));
  return Device::make("cuda", ordinal, std::move(backend), memory_limit);
}

const DeviceProperties* properties_of(const Device& device) {
  const auto* backend = dynamic_cast<const CudaBackend*>(&device.backend());
  return backend == nullptr ? nullptr : &backend->properties();
}

Stream* stream_of(const Device& device) {
  const auto* backend = dynamic_cast<const CudaBackend*>(&device.backend());
  return backend == nullptr ? nullptr : &backend->stream();
}

}  // namespace hyperion::runtime::cuda

#include "runtime/cpu/host_backend.hpp"

#include <cstring>

#include "ir/support/format.hpp"
#include "runtime/cpu/host_info.hpp"

namespace hyperion::runtime {
namespace {

class HostQueue final : public DeviceQueue {
 public:
  StatusOr<> copy(std::byte* to, const std::byte* from, std::size_t bytes) override {
    if (to != from && bytes != 0) std::memcpy(to, from, bytes);
    return {};
  }
  StatusOr<bool> read_flag(const std::byte* flag) override { return *flag != std::byte{0}; }
  StatusOr<> finish() override { return {}; }
};

class HostBackend final : public Backend {
 public:
  explicit HostBackend(int threads) : threads_(threads) {}

  MemorySource& memory() override { return host_memory(); }
  StatusOr<> upload(std::byte* to, std::span<const std::byte> from) override {
    if (!from.empty()) std::memcpy(to, from.data(), from.size());
    return {};
  }
  StatusOr<> download(std::span<std::byte> to, const std::byte* from) override {
    if (!to.empty()) std::memcpy(to.data(), from, to.size());
    return {};
  }
  std::unique_ptr<DeviceQueue> make_queue() override { return std::make_unique<HostQueue>(); }
  CodeLoader* code_loader() override { return nullptr; }
  std::string description() const override {
    const HostInfo& host = host_info();
    return format("{}, {} threads, {:.1f} GiB", host.name, threads_,
                  static_cast<double>(host.memory_bytes) / (1024.0 * 1024 * 1024));
  }

 private:
  const int threads_;
};

}  // namespace

std::unique_ptr<Backend> make_host_backend(int threads) {
  return std::make_unique<HostBackend>(threads);
}

}  // namespace hyperion::runtime

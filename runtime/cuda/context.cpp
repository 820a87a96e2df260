#include "runtime/cuda/context.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/format.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

constexpr int kOldestCompute = 75;  // what NVRTC 13 still compiles for

struct Found {
  DeviceProperties properties;
  CUdevice device = 0;
};

StatusOr<Found> query(Driver& driver, int ordinal) {
  Found found;
  DeviceProperties& properties = found.properties;
  properties.ordinal = ordinal;
  properties.driver_version = driver.version();
  HYP_TRY_VOID(check(driver, driver.cuDeviceGet(&found.device, ordinal), "cuDeviceGet"));
  char text[256] = {};
  HYP_TRY_VOID(
      check(driver, driver.cuDeviceGetName(text, sizeof text, found.device), "cuDeviceGetName"));
  properties.name = text;
  HYP_TRY_VOID(check(driver, driver.cuDeviceGetPCIBusId(text, sizeof text, found.device),
                     "cuDeviceGetPCIBusId"));
  properties.bus_id = text;
  std::size_t bytes = 0;
  HYP_TRY_VOID(check(driver, driver.cuDeviceTotalMem(&bytes, found.device), "cuDeviceTotalMem"));
  properties.memory_bytes = bytes;

  int l2_bytes = 0;
  int maps_memory = 0;
  const std::pair<CUdevice_attribute, int*> attributes[] = {
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &properties.compute_major},
      {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &properties.compute_minor},
      {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, &properties.multiprocessors},
      {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, &properties.clock_khz},
      {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, &properties.memory_clock_khz},
      {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, &properties.memory_bus_bits},
      {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, &l2_bytes},
      {CU_DEVICE_ATTRIBUTE_WARP_SIZE, &properties.warp_threads},
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &properties.block_threads},
      {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, &properties.multiprocessor_threads},
      {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, &properties.multiprocessor_registers},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &properties.block_shared_bytes},
      {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
       &properties.multiprocessor_shared_bytes},
      {CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, &maps_memory},
  };
  for (const auto& [attribute, value] : attributes) {
    HYP_TRY_VOID(check(driver, driver.cuDeviceGetAttribute(value, attribute, found.device),
                       "cuDeviceGetAttribute"));
  }
  properties.l2_bytes = static_cast<std::uint64_t>(l2_bytes);
  properties.maps_memory = maps_memory != 0;
  return found;
}

StatusOr<int> count_devices(Driver& driver) {
  int count = 0;
  const CUresult started = driver.cuInit(0);
  if (started == CUDA_ERROR_NO_DEVICE) return problem_error(Problem::no_device, "");
  if (started == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH) {
    return problem_error(Problem::old_driver, describe(driver, started));
  }
  HYP_TRY_VOID(check(driver, started, "cuInit"));
  HYP_TRY_VOID(check(driver, driver.cuDeviceGetCount(&count), "cuDeviceGetCount"));
  if (count == 0) return problem_error(Problem::no_device, "");
  return count;
}

}  // namespace

std::string DeviceProperties::architecture() const {
  const bool is_hopper = compute_major == 9 && compute_minor == 0;
  return format("sm_{}{}{}", compute_major, compute_minor, is_hopper ? "a" : "");
}

StatusOr<std::vector<DeviceProperties>> list_devices(Driver& driver) {
  HYP_TRY(const int count, count_devices(driver));
  std::vector<DeviceProperties> devices;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    HYP_TRY(Found found, query(driver, ordinal));
    devices.push_back(std::move(found.properties));
  }
  return devices;
}

std::string readable_bytes(std::uint64_t bytes) {
  if (bytes < 10 * 1024) return format("{} bytes", bytes);
  if (bytes < std::uint64_t{10} << 20) {
    return format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  }
  if (bytes < std::uint64_t{10} << 30) {
    return format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  }
  return format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

// ---- The ledger ----

void MemoryLedger::set(const std::string& holder, std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (bytes == 0) {
    holders_.erase(holder);
  } else {
    holders_[holder] = bytes;
  }
}

std::uint64_t MemoryLedger::total() const {
  std::lock_guard lock(mutex_);
  std::uint64_t total = 0;
  for (const auto& [holder, bytes] : holders_) total += bytes;
  return total;
}

std::string MemoryLedger::text() const {
  std::vector<std::pair<std::string, std::uint64_t>> holders;
  {
    std::lock_guard lock(mutex_);
    holders.assign(holders_.begin(), holders_.end());
  }
  std::ranges::stable_sort(holders, std::greater(), &decltype(holders)::value_type::second);
  std::string text;
  for (const auto& [holder, bytes] : holders) {
    text += format("{}{} {}", text.empty() ? "" : ", ", holder, readable_bytes(bytes));
  }
  return text.empty() ? "nothing" : text;
}

// ---- The context ----

StatusOr<std::shared_ptr<Context>> Context::create(std::shared_ptr<Driver> driver, int ordinal) {
  HYP_TRY(const int count, count_devices(*driver));
  if (ordinal < 0 || ordinal >= count) {
    return problem_error(Problem::no_device,
                         format("there is no cuda:{}, only cuda:0 to cuda:{}", ordinal, count - 1));
  }
  HYP_TRY(Found found, query(*driver, ordinal));
  const DeviceProperties& properties = found.properties;
  const std::string where = format("cuda:{}", ordinal);
  if (properties.compute_major * 10 + properties.compute_minor < kOldestCompute) {
    return problem_error(
        Problem::old_device,
        format("{} has compute capability {}.{}, Hyperion needs 7.5", properties.name,
               properties.compute_major, properties.compute_minor),
        where);
  }
  if (!properties.maps_memory) {
    return problem_error(Problem::old_device,
                         format("{} cannot map memory (cuMemMap)", properties.name), where);
  }
  CUcontext context = nullptr;
  HYP_TRY_VOID(cuda::check(*driver, driver->cuDevicePrimaryCtxRetain(&context, found.device),
                           "cuDevicePrimaryCtxRetain"));
  return std::shared_ptr<Context>(
      new Context(std::move(driver), std::move(found.properties), found.device, context));
}

Context::Context(std::shared_ptr<Driver> driver, DeviceProperties properties, CUdevice device,
                 CUcontext context)
    : driver_(std::move(driver)),
      properties_(std::move(properties)),
      device_(device),
      context_(context) {}

Context::~Context() {
  log_failure(*driver_, driver_->cuDevicePrimaryCtxRelease(device_), "cuDevicePrimaryCtxRelease");
}

std::string Context::name() const { return format("cuda:{}", properties_.ordinal); }

StatusOr<Context::Current> Context::enter() {
  if (is_lost()) [[unlikely]] {
    std::lock_guard lock(mutex_);
    return problem_error(Problem::device_lost,
                         format("the GPU cannot be used any more: {}", first_failure_.message),
                         name());
  }
  CUcontext current = nullptr;
  HYP_TRY_VOID(check(driver_->cuCtxGetCurrent(&current), "cuCtxGetCurrent"));
  if (current == context_) return Current(nullptr);
  HYP_TRY_VOID(check(driver_->cuCtxPushCurrent(context_), "cuCtxPushCurrent"));
  return Current(driver_.get());
}

Context::Current Context::enter_to_release() noexcept {
  const CUresult result = driver_->cuCtxPushCurrent(context_);
  log_failure(*driver_, result, "cuCtxPushCurrent");
  return Current(result == CUDA_SUCCESS ? driver_.get() : nullptr);
}

Context::Current::~Current() {
  if (driver_ == nullptr) return;
  CUcontext popped = nullptr;
  log_failure(*driver_, driver_->cuCtxPopCurrent(&popped), "cuCtxPopCurrent");
}

StatusOr<> Context::check(CUresult result, std::string_view call, std::string_view where) {
  if (result == CUDA_SUCCESS) [[likely]]
    return {};
  if (!is_fatal(result)) {
    StatusOr<> failed = cuda::check(*driver_, result, call);
    failed.error().where = where.empty() ? name() : std::string(where);
    return failed;
  }
  Status status =
      problem_status(Problem::kernel_fault, format("{}: {}", call, describe(*driver_, result)),
                     where.empty() ? name() : std::string(where));
  std::lock_guard lock(mutex_);
  if (!is_lost()) {
    first_failure_ = status;
    first_failure_.message = status.text();
    lost_.store(true, std::memory_order_release);
  }
  return std::unexpected(std::move(status));
}

StatusOr<> Context::synchronize() {
  HYP_TRY(const Current current, enter());
  return check(driver_->cuCtxSynchronize(), "cuCtxSynchronize");
}

StatusOr<Context::Memory> Context::memory() {
  HYP_TRY(const Current current, enter());
  std::size_t free = 0;
  std::size_t total = 0;
  HYP_TRY_VOID(check(driver_->cuMemGetInfo(&free, &total), "cuMemGetInfo"));
  return Memory{free, total};
}

std::string Context::memory_text() noexcept {
  const StatusOr<Memory> memory = this->memory();
  const std::string held = format("held by {}", ledger_.text());
  if (!memory) return held;
  const std::uint64_t ours = std::min(ledger_.total(), memory->total - memory->free);
  return format("{} in all, {} free; {}, by CUDA and others {}", readable_bytes(memory->total),
                readable_bytes(memory->free), held,
                readable_bytes(memory->total - memory->free - ours));
}

Status Context::out_of_memory(std::uint64_t bytes, std::string_view purpose) noexcept {
  return problem_status(
      Problem::out_of_memory,
      format("no memory for {} more for {}: {}", readable_bytes(bytes), purpose, memory_text()),
      name());
}

}  // namespace hyperion::runtime::cuda

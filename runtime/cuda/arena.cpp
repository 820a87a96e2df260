#include "runtime/cuda/arena.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/format.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t step) {
  return (bytes + step - 1) / step * step;
}

CUmemAllocationProp on_device(const Context& context) {
  CUmemAllocationProp properties;
  properties.location.id = context.properties().ordinal;
  return properties;
}

}  // namespace

StatusOr<std::unique_ptr<Arena>> Arena::create(std::shared_ptr<Context> context,
                                               ArenaOptions options) {
  HYP_TRY(const auto current, context->enter());
  Driver& driver = context->driver();
  const CUmemAllocationProp properties = on_device(*context);
  std::size_t granularity = 0;
  HYP_TRY_VOID(context->check(driver.cuMemGetAllocationGranularity(
                                  &granularity, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
                              "cuMemGetAllocationGranularity"));
  const std::uint64_t step = round_up(std::max<std::uint64_t>(options.step, 1), granularity);
  const std::uint64_t capacity =
      round_up(options.capacity != 0 ? options.capacity : context->properties().memory_bytes, step);
  CUdeviceptr base = 0;
  HYP_TRY_VOID(
      context->check(driver.cuMemAddressReserve(&base, capacity, 0, 0, 0), "cuMemAddressReserve"));
  return std::unique_ptr<Arena>(
      new Arena(std::move(context), std::move(options.name), base, capacity, step));
}

Arena::Arena(std::shared_ptr<Context> context, std::string name, CUdeviceptr base,
             std::uint64_t capacity, std::uint64_t step)
    : context_(std::move(context)),
      name_(std::move(name)),
      base_(base),
      capacity_(capacity),
      step_(step) {}

Arena::~Arena() {
  shrink(0);
  const auto current = context_->enter_to_release();
  Driver& driver = context_->driver();
  log_failure(driver, driver.cuMemAddressFree(base_, capacity_), "cuMemAddressFree");
}

StatusOr<> Arena::ensure(std::uint64_t bytes) {
  if (bytes <= bytes_) return {};
  if (bytes > capacity_) return std::unexpected(context_->out_of_memory(bytes - bytes_, name_));
  HYP_TRY(const auto current, context_->enter());
  HYP_TRY_VOID(map(std::min(round_up(bytes - bytes_, step_), capacity_ - bytes_)));
  context_->ledger().set(name_, bytes_);
  return {};
}

// The handle is released at once: the mapping keeps the memory until it is unmapped.
StatusOr<> Arena::map(std::uint64_t bytes) {
  Driver& driver = context_->driver();
  const CUmemAllocationProp properties = on_device(*context_);
  CUmemGenericAllocationHandle handle = 0;
  const CUresult created = driver.cuMemCreate(&handle, bytes, &properties, 0);
  if (created == CUDA_ERROR_OUT_OF_MEMORY) {
    return std::unexpected(context_->out_of_memory(bytes, name_));
  }
  HYP_TRY_VOID(context_->check(created, "cuMemCreate"));
  const CUdeviceptr at = base_ + bytes_;
  const CUresult mapped = driver.cuMemMap(at, bytes, 0, handle, 0);
  log_failure(driver, driver.cuMemRelease(handle), "cuMemRelease");
  if (mapped == CUDA_ERROR_OUT_OF_MEMORY) {
    return std::unexpected(context_->out_of_memory(bytes, name_));
  }
  HYP_TRY_VOID(context_->check(mapped, "cuMemMap"));
  CUmemAccessDesc access;
  access.location = properties.location;
  const CUresult allowed = driver.cuMemSetAccess(at, bytes, &access, 1);
  if (allowed != CUDA_SUCCESS) {
    log_failure(driver, driver.cuMemUnmap(at, bytes), "cuMemUnmap");
    if (allowed == CUDA_ERROR_OUT_OF_MEMORY) {
      return std::unexpected(context_->out_of_memory(bytes, name_));
    }
    return context_->check(allowed, "cuMemSetAccess");
  }
  pieces_.push_back(bytes);
  bytes_ += bytes;
  return {};
}

void Arena::shrink(std::uint64_t keep) noexcept {
  if (pieces_.empty() || bytes_ - pieces_.back() < keep) return;
  const auto current = context_->enter_to_release();
  Driver& driver = context_->driver();
  if (!context_->is_lost()) log_failure(driver, driver.cuCtxSynchronize(), "cuCtxSynchronize");
  while (!pieces_.empty() && bytes_ - pieces_.back() >= keep) {
    bytes_ -= pieces_.back();
    log_failure(driver, driver.cuMemUnmap(base_ + bytes_, pieces_.back()), "cuMemUnmap");
    pieces_.pop_back();
  }
  context_->ledger().set(name_, bytes_);
}

}  // namespace hyperion::runtime::cuda

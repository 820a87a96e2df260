#include "runtime/cuda/staging.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ir/support/format.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {

Staging::Staging(std::shared_ptr<Context> context, StagingOptions options)
    : context_(std::move(context)), options_(options) {
  slots_.reserve(options_.slots);  // copies under way hold pointers
}

Staging::~Staging() {
  const auto current = context_->enter_to_release();
  Driver& driver = context_->driver();
  for (Slot& slot : slots_) {
    if (slot.in_use && !context_->is_lost()) {
      log_failure(driver, driver.cuEventSynchronize(slot.done.handle()), "cuEventSynchronize");
    }
    log_failure(driver, driver.cuMemFreeHost(slot.data), "cuMemFreeHost");
  }
}

StatusOr<> Staging::add_slot() {
  HYP_TRY(const auto current, context_->enter());
  HYP_TRY(StreamEvent done, StreamEvent::create(context_));
  void* data = nullptr;
  const CUresult result = context_->driver().cuMemHostAlloc(&data, options_.slot_bytes, 0);
  if (result == CUDA_ERROR_OUT_OF_MEMORY) {
    return problem_error(
        Problem::pinned_memory,
        format("no pinned host memory for a slot of {}", readable_bytes(options_.slot_bytes)),
        context_->name());
  }
  HYP_TRY_VOID(context_->check(result, "cuMemHostAlloc"));
  slots_.push_back({static_cast<std::byte*>(data), std::move(done)});
  return {};
}

StatusOr<Staging::Slot*> Staging::slot(Stream& stream, std::size_t index) {
  if (!is_complete_ && index >= slots_.size()) {
    StatusOr<> added = add_slot();
    if (!added && slots_.empty()) return std::unexpected(std::move(added).error());
    is_complete_ = !added || slots_.size() == options_.slots;
  }
  Slot& slot = slots_[index % slots_.size()];
  if (slot.in_use) HYP_TRY_VOID(slot.done.wait(stream));
  slot.in_use = false;
  return &slot;
}

StatusOr<> Staging::upload(Stream& stream, CUdeviceptr to, std::span<const std::byte> from) {
  std::lock_guard lock(mutex_);
  for (std::size_t index = 0; !from.empty(); ++index) {
    HYP_TRY(Slot* const slot, this->slot(stream, index));
    const std::size_t bytes = std::min(from.size(), options_.slot_bytes);
    std::memcpy(slot->data, from.data(), bytes);
    HYP_TRY_VOID(stream.copy_to_device(to, slot->data, bytes));
    slot->in_use = true;
    HYP_TRY_VOID(slot->done.record(stream));
    to += bytes;
    from = from.subspan(bytes);
  }
  return {};
}

// One piece is under way on the device while the one before is copied out of its slot.
StatusOr<> Staging::download(Stream& stream, std::span<std::byte> to, CUdeviceptr from) {
  std::lock_guard lock(mutex_);
  Slot* pending = nullptr;
  std::span<std::byte> pending_to;
  const auto finish = [&]() -> StatusOr<> {
    if (pending == nullptr) return {};
    HYP_TRY_VOID(pending->done.wait(stream));
    pending->in_use = false;
    std::memcpy(pending_to.data(), pending->data, pending_to.size());
    pending = nullptr;
    return {};
  };
  for (std::size_t index = 0; !to.empty(); ++index) {
    HYP_TRY(Slot* const slot, this->slot(stream, index));
    if (slot == pending) HYP_TRY_VOID(finish());  // the only slot: nothing overlaps
    const std::size_t bytes = std::min(to.size(), options_.slot_bytes);
    HYP_TRY_VOID(stream.copy_to_host(slot->data, from, bytes));
    slot->in_use = true;
    HYP_TRY_VOID(slot->done.record(stream));
    HYP_TRY_VOID(finish());
    pending = slot;
    pending_to = to.first(bytes);
    from += bytes;
    to = to.subspan(bytes);
  }
  return finish();
}

}  // namespace hyperion::runtime::cuda

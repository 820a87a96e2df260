#include "runtime/cuda/stream.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::runtime::cuda {
namespace {

// Numerically lower is more urgent; drivers offer at least -1.
constexpr int kNormalPriority = 0;
constexpr int kHighPriority = -1;

}  // namespace

// ---- Events ----

StatusOr<StreamEvent> StreamEvent::create(std::shared_ptr<Context> context, Kind kind) {
  HYP_TRY(const auto current, context->enter());
  CUevent event = nullptr;
  const unsigned flags = kind == Kind::timing ? CU_EVENT_DEFAULT : CU_EVENT_DISABLE_TIMING;
  HYP_TRY_VOID(context->check(context->driver().cuEventCreate(&event, flags), "cuEventCreate"));
  return StreamEvent(std::move(context), event);
}

StreamEvent::StreamEvent(StreamEvent&& other) noexcept
    : context_(std::move(other.context_)), event_(std::exchange(other.event_, nullptr)) {}

StreamEvent& StreamEvent::operator=(StreamEvent&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(event_, other.event_);
  return *this;
}

StreamEvent::~StreamEvent() {
  if (event_ == nullptr) return;
  const auto current = context_->enter_to_release();
  Driver& driver = context_->driver();
  log_failure(driver, driver.cuEventDestroy(event_), "cuEventDestroy");
}

StatusOr<> StreamEvent::record(Stream& stream) {
  HYP_TRY(const auto current, context_->enter());
  return stream.check(context_->driver().cuEventRecord(event_, stream.handle()), "cuEventRecord");
}

StatusOr<> StreamEvent::record_in_graph(Stream& stream) {
  HYP_TRY(const auto current, context_->enter());
  return stream.check(
      context_->driver().cuEventRecordWithFlags(event_, stream.handle(), CU_EVENT_RECORD_EXTERNAL),
      "cuEventRecordWithFlags");
}

StatusOr<bool> StreamEvent::is_done() {
  HYP_TRY(const auto current, context_->enter());
  const CUresult result = context_->driver().cuEventQuery(event_);
  if (result == CUDA_ERROR_NOT_READY) return false;
  HYP_TRY_VOID(context_->check(result, "cuEventQuery"));
  return true;
}

StatusOr<> StreamEvent::wait(Stream& stream) {
  HYP_TRY(const auto current, context_->enter());
  return stream.check(context_->driver().cuEventSynchronize(event_), "cuEventSynchronize");
}

StatusOr<double> StreamEvent::seconds_since(const StreamEvent& start) {
  HYP_TRY(const auto current, context_->enter());
  float milliseconds = 0;
  HYP_TRY_VOID(
      context_->check(context_->driver().cuEventElapsedTime(&milliseconds, start.event_, event_),
                      "cuEventElapsedTime"));
  return static_cast<double>(milliseconds) / 1000;
}

// ---- Streams ----

StatusOr<std::unique_ptr<Stream>> Stream::create(std::shared_ptr<Context> context,
                                                 Priority priority) {
  HYP_TRY(const auto current, context->enter());
  CUstream stream = nullptr;
  HYP_TRY_VOID(context->check(context->driver().cuStreamCreateWithPriority(
                                  &stream, CU_STREAM_NON_BLOCKING,
                                  priority == Priority::high ? kHighPriority : kNormalPriority),
                              "cuStreamCreateWithPriority"));
  return std::unique_ptr<Stream>(new Stream(std::move(context), stream));
}

Stream::~Stream() {
  const auto current = context_->enter_to_release();
  Driver& driver = context_->driver();
  log_failure(driver, driver.cuStreamDestroy(stream_), "cuStreamDestroy");
}

StatusOr<> Stream::synchronize() {
  HYP_TRY(const auto current, context_->enter());
  HYP_TRY_VOID(check(context_->driver().cuStreamSynchronize(stream_), "cuStreamSynchronize"));
  forget_suspects();
  return {};
}

StatusOr<bool> Stream::is_idle() {
  HYP_TRY(const auto current, context_->enter());
  const CUresult result = context_->driver().cuStreamQuery(stream_);
  if (result == CUDA_ERROR_NOT_READY) return false;
  HYP_TRY_VOID(check(result, "cuStreamQuery"));
  forget_suspects();
  return true;
}

StatusOr<> Stream::wait_for(const StreamEvent& event) {
  HYP_TRY(const auto current, context_->enter());
  return check(context_->driver().cuStreamWaitEvent(stream_, event.handle(), 0),
               "cuStreamWaitEvent");
}

StatusOr<> Stream::copy_to_device(CUdeviceptr to, const void* from, std::size_t bytes) {
  if (bytes == 0) return {};
  HYP_TRY(const auto current, context_->enter());
  return check(context_->driver().cuMemcpyHtoDAsync(to, from, bytes, stream_), "cuMemcpyHtoDAsync");
}

StatusOr<> Stream::copy_to_host(void* to, CUdeviceptr from, std::size_t bytes) {
  if (bytes == 0) return {};
  HYP_TRY(const auto current, context_->enter());
  return check(context_->driver().cuMemcpyDtoHAsync(to, from, bytes, stream_), "cuMemcpyDtoHAsync");
}

StatusOr<> Stream::copy(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
  if (bytes == 0) return {};
  HYP_TRY(const auto current, context_->enter());
  return check(context_->driver().cuMemcpyDtoDAsync(to, from, bytes, stream_), "cuMemcpyDtoDAsync");
}

StatusOr<> Stream::fill(CUdeviceptr to, unsigned char value, std::size_t bytes) {
  if (bytes == 0) return {};
  HYP_TRY(const auto current, context_->enter());
  return check(context_->driver().cuMemsetD8Async(to, value, bytes, stream_), "cuMemsetD8Async");
}

StatusOr<> Stream::check(CUresult result, std::string_view call) {
  if (result == CUDA_SUCCESS) [[likely]]
    return {};
  return context_->check(result, call, suspects());
}

void Stream::forget_suspects() {
  std::lock_guard lock(mutex_);
  noted_ = 0;
}

void Stream::note(const std::shared_ptr<const KernelOrigin>& origin) {
  std::lock_guard lock(mutex_);
  recent_[noted_++ % kRemembered] = origin;
}

std::string Stream::suspects() const {
  std::lock_guard lock(mutex_);
  if (noted_ == 0) return {};
  const auto name = [](const KernelOrigin& origin) {
    return format("'{}'{}", origin.kernel,
                  origin.source.empty() ? "" : format(" ({})", origin.source));
  };
  if (noted_ == 1) return format("kernel {}", name(*recent_[0]));
  const std::uint64_t shown = std::min<std::uint64_t>(noted_, kRemembered);
  std::string text = format("one of {} kernels, the last: ", noted_);
  for (std::uint64_t i = noted_ - shown; i < noted_; ++i) {
    text += format("{}{}", i == noted_ - shown ? "" : ", ", name(*recent_[i % kRemembered]));
  }
  return text;
}

}  // namespace hyperion::runtime::cuda

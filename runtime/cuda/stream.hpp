// stream.hpp: a queue of work on a GPU, and events in it.
//
// What is put on a stream runs in order, after the call has returned; streams run side by side
// unless one waits for an event of another. Streams are non-blocking: the legacy default stream is
// never used.
//
// A kernel that fails is noticed later, by whoever waits. So a stream remembers what it was given
// since it was last found idle, and the error names those kernels.
//
// Thread safety: a Stream from any thread, an event as its owner.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "ir/support/status.hpp"
#include "runtime/cuda/context.hpp"

namespace hyperion::runtime::cuda {

class Stream;

class StreamEvent {
 public:
  enum class Kind : std::uint8_t { order, timing };
  static StatusOr<StreamEvent> create(std::shared_ptr<Context> context, Kind kind = Kind::order);
  StreamEvent(StreamEvent&& other) noexcept;
  StreamEvent& operator=(StreamEvent&& other) noexcept;
  ~StreamEvent();

  StatusOr<> record(Stream& stream);
  // REQUIRES: the stream is being captured. The graph records the event each time that it runs.
  StatusOr<> record_in_graph(Stream& stream);
  StatusOr<bool> is_done();
  // Waits on the host. `stream` is where it was recorded: an error names its kernels.
  StatusOr<> wait(Stream& stream);
  // REQUIRES: both are of kind timing, and done.
  StatusOr<double> seconds_since(const StreamEvent& start);
  CUevent handle() const { return event_; }

 private:
  StreamEvent(std::shared_ptr<Context> context, CUevent event)
      : context_(std::move(context)), event_(event) {}

  std::shared_ptr<Context> context_;
  CUevent event_ = nullptr;
};

// What an error says about a kernel.
struct KernelOrigin {
  std::string kernel;  // "hyp_gelu_1a2b3c4d"
  std::string source;  // "gelu at train.cpp:41:12"; may be empty
};

class Stream {
 public:
  enum class Priority : std::uint8_t { normal, high };
  static StatusOr<std::unique_ptr<Stream>> create(std::shared_ptr<Context> context,
                                                  Priority priority = Priority::normal);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const std::shared_ptr<Context>& context() const { return context_; }
  CUstream handle() const { return stream_; }

  // Waits on the host until all work is done; the error of a kernel that failed.
  StatusOr<> synchronize();
  StatusOr<bool> is_idle();
  // Work put here from now on starts after the event.
  StatusOr<> wait_for(const StreamEvent& event);

  // Asynchronous. Host memory must be pinned to be so (see staging.hpp), and stay until done.
  StatusOr<> copy_to_device(CUdeviceptr to, const void* from, std::size_t bytes);
  StatusOr<> copy_to_host(void* to, CUdeviceptr from, std::size_t bytes);
  StatusOr<> copy(CUdeviceptr to, CUdeviceptr from, std::size_t bytes);
  StatusOr<> fill(CUdeviceptr to, unsigned char value, std::size_t bytes);

  // The outcome of a call on this stream; an error names the suspects.
  StatusOr<> check(CUresult result, std::string_view call);
  // For launches: remembers the kernel for messages.
  void note(const std::shared_ptr<const KernelOrigin>& origin);
  // "kernel 'a' (gelu at train.cpp:41:12)", or a list of the last ones.
  std::string suspects() const;

 private:
  void forget_suspects();
  Stream(std::shared_ptr<Context> context, CUstream stream)
      : context_(std::move(context)), stream_(stream) {}

  static constexpr std::size_t kRemembered = 8;

  const std::shared_ptr<Context> context_;
  const CUstream stream_;
  mutable std::mutex mutex_;                                             // guards what follows
  std::array<std::shared_ptr<const KernelOrigin>, kRemembered> recent_;  // a ring
  std::uint64_t noted_ = 0;                                              // since last idle
};

}  // namespace hyperion::runtime::cuda

// buffer.hpp: bytes on a device, and typed, strided views of them.
//
//   Buffer      reference-counted bytes; the last handle gives them back to the device's allocator.
//   ViewDesc    what a view means: dtype, dims, byte strides. Immutable and shared, so views copy
//   cheaply. BufferView  Buffer + ViewDesc + byte offset. Two views may overlap.
//
// A buffer may still be under way: ready() is the event of its producer. read() waits for it and
// returns the producer's error if it failed ("poison"). On a device that works asynchronously,
// ready() means in its order: read() waits for the device as well.
//
// Donation. std::move(view).donate() offers the buffer to the next execution that takes the view:
// outputs may then reuse its memory. After that call every handle of the old buffer is spent:
// read() and further executions report failed_precondition. Without donation an execution never
// changes its arguments.
//
// Thread safety: handles are values; distinct handles may be used from any thread. Reading a buffer
// while another thread donates it is an error in the caller's program.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ir/dtype.hpp"
#include "ir/support/status.hpp"
#include "runtime/device.hpp"
#include "runtime/event.hpp"

namespace hyperion::runtime {

class Buffer {
 public:
  Buffer() = default;  // empty: only tested, assigned and destroyed
  explicit operator bool() const { return storage_ != nullptr; }

  static StatusOr<Buffer> allocate(const Device& device, std::size_t bytes, Event ready = {});
  // Memory owned by someone else, kept alive by `owner`. It is never written.
  static Buffer wrap(const Device& device, std::span<const std::byte> bytes,
                     std::shared_ptr<const void> owner);

  std::size_t bytes() const { return storage_->bytes; }
  const Device& device() const { return storage_->device; }
  const Event& ready() const { return storage_->ready; }
  // Contents are meaningful only after ready(), and only while not spent.
  std::byte* data() const { return storage_->data; }
  bool spent() const { return storage_->spent.load(std::memory_order_acquire); }

  // Counts executions in flight that read this buffer: its memory cannot be taken over by others
  // meanwhile.
  void begin_use() const { storage_->uses.fetch_add(1, std::memory_order_relaxed); }
  void end_use() const { storage_->uses.fetch_sub(1, std::memory_order_release); }

  // Marks all handles of this buffer as spent and, when its only user is the caller, makes a new
  // Buffer of the same memory; empty when others still read it or when the memory is wrapped. Spent
  // handles keep the memory alive: an execution that still writes what a later one has taken over
  // must not lose it.
  Buffer take_over(Event ready) const;
  // Marks all handles as spent.
  void spend() const { storage_->spent.store(true, std::memory_order_release); }

  friend bool operator==(const Buffer&, const Buffer&) = default;

 private:
  struct Storage {
    Storage(Device on, std::byte* begin, std::size_t size, Event when,
            std::shared_ptr<const void> keep, bool is_wrapped)
        : device(std::move(on)),
          data(begin),
          bytes(size),
          ready(std::move(when)),
          owner(std::move(keep)),
          wrapped(is_wrapped) {}

    const Device device;
    std::byte* const data;
    const std::size_t bytes;
    const Event ready;
    const std::shared_ptr<const void> owner;  // keeps `data` alive
    const bool wrapped;
    std::atomic<int> uses{0};
    std::atomic<bool> spent{false};
  };
  explicit Buffer(std::shared_ptr<Storage> storage) : storage_(std::move(storage)) {}

  std::shared_ptr<Storage> storage_;
};

// INVARIANTS: byte_strides.size() == dims.size(); no dim is negative; `elements` and `bytes` do not
// overflow.
struct ViewDesc {
  DType dtype = DType::f32;
  std::vector<std::int64_t> dims;
  std::vector<std::int64_t> byte_strides;  // may be zero or negative
  std::int64_t elements = 1;
  std::size_t bytes = 0;  // of the elements alone: what read() needs
  bool is_dense = true;   // row-major without gaps

  // invalid_argument for a negative dimension, out_of_range when the size overflows.
  static StatusOr<std::shared_ptr<const ViewDesc>> dense(DType dtype,
                                                         std::span<const std::int64_t> dims);
};

// Copies the elements of a view that starts at `from` to dense memory, in row-major order.
void copy_dense(std::byte* to, const std::byte* from, const ViewDesc& desc);

class BufferView {
 public:
  BufferView() = default;  // empty: only assignment and destruction
  // REQUIRES: every element that `desc` reaches from `offset` lies inside the buffer.
  BufferView(Buffer buffer, std::shared_ptr<const ViewDesc> desc, std::size_t offset = 0)
      : buffer_(std::move(buffer)), desc_(std::move(desc)), offset_(offset) {}

  static StatusOr<BufferView> allocate(const Device& device, std::shared_ptr<const ViewDesc> desc,
                                       Event ready = {});
  // Copies dense row-major elements from the host.
  static StatusOr<BufferView> from_host(const Device& device, DType dtype,
                                        std::span<const std::int64_t> dims,
                                        std::span<const std::byte> bytes);

  explicit operator bool() const { return bool(buffer_); }
  const ViewDesc& desc() const { return *desc_; }
  const std::shared_ptr<const ViewDesc>& shared_desc() const { return desc_; }
  const Buffer& buffer() const { return buffer_; }
  std::size_t offset() const { return offset_; }
  const Event& ready() const { return buffer_.ready(); }
  // The first element.
  std::byte* data() const { return buffer_.data() + offset_; }

  // Elements [begin, end) in every dimension; shares the buffer.
  StatusOr<BufferView> slice(std::span<const std::int64_t> begin,
                             std::span<const std::int64_t> end) const;
  // Waits, then copies the elements in row-major order. REQUIRES: to.size() == desc().bytes, else
  // invalid_argument.
  StatusOr<> read(std::span<std::byte> to) const;
  // Waits, then the bytes themselves, valid while a handle of the buffer lives. Only for dense
  // views in memory of the host.
  StatusOr<std::span<const std::byte>> host_bytes() const;
  // This view when it is dense and 64-byte aligned, else a copy that is. Waits.
  StatusOr<BufferView> to_dense() const;
  // This view when it is on that device, else a dense copy that is. Waits.
  StatusOr<BufferView> to(const Device& device) const;
  // A dense copy on any device. REQUIRES: ready. Does not ask whether the buffer is spent: for
  // whoever it was donated to.
  StatusOr<BufferView> copy_to(const Device& device) const;

  BufferView donate() &&;
  bool donated() const { return donated_; }

 private:
  StatusOr<> wait_until_usable() const;
  StatusOr<> read_elements(std::span<std::byte> to) const;

  Buffer buffer_;
  std::shared_ptr<const ViewDesc> desc_;
  std::size_t offset_ = 0;
  bool donated_ = false;
};

}  // namespace hyperion::runtime

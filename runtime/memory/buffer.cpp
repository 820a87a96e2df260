#include "runtime/memory/buffer.hpp"

#include <cstring>
#include <limits>
#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime {
namespace {

std::unexpected<Status> spent_error() {
  return error_status(
      Code::failed_precondition, "the buffer was donated to an execution", {},
      "use that execution's outputs, or do not donate a value that is needed later");
}

}  // namespace

// Row by row; a row is one copy where its elements are contiguous.
void copy_dense(std::byte* to, const std::byte* from, const ViewDesc& desc) {
  const std::size_t item = byte_size(desc.dtype);
  const std::size_t rank = desc.dims.size();
  if (desc.elements == 0) return;
  if (desc.is_dense) {
    std::memcpy(to, from, desc.bytes);
    return;
  }
  const auto inner_count = rank == 0 ? std::size_t{1} : static_cast<std::size_t>(desc.dims.back());
  const std::int64_t inner_stride = rank == 0 ? 0 : desc.byte_strides.back();
  std::vector<std::int64_t> index(rank, 0);
  for (;;) {
    const std::byte* row = from;
    for (std::size_t d = 0; d + 1 < rank; ++d) row += index[d] * desc.byte_strides[d];
    if (inner_stride == static_cast<std::int64_t>(item)) {
      std::memcpy(to, row, inner_count * item);
      to += inner_count * item;
    } else {
      for (std::size_t i = 0; i < inner_count; ++i, row += inner_stride, to += item) {
        std::memcpy(to, row, item);
      }
    }
    std::size_t d = rank < 2 ? 0 : rank - 1;  // the next row: count up all but the innermost index
    while (d > 0 && ++index[d - 1] == desc.dims[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

StatusOr<Buffer> Buffer::allocate(const Device& device, std::size_t bytes, Event ready) {
  struct Block {
    Block(Device on, Memory block) : device(std::move(on)), memory(block) {}
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() { device.allocator().release(memory); }
    const Device device;
    const Memory memory;
  };
  HYP_TRY(const Memory memory, device.allocator().allocate(bytes));
  return Buffer(std::make_shared<Storage>(device, memory.data, bytes, std::move(ready),
                                          std::make_shared<Block>(device, memory), false));
}

Buffer Buffer::wrap(const Device& device, std::span<const std::byte> bytes,
                    std::shared_ptr<const void> owner) {
  // Never written: only donated memory is, and take_over() refuses wrapped memory.
  auto* data = const_cast<std::byte*>(bytes.data());
  return Buffer(
      std::make_shared<Storage>(device, data, bytes.size(), Event(), std::move(owner), true));
}

Buffer Buffer::take_over(Event ready) const {
  if (storage_->spent.exchange(true, std::memory_order_acq_rel)) return {};
  if (storage_->wrapped || storage_->uses.load(std::memory_order_acquire) != 1) return {};
  return Buffer(std::make_shared<Storage>(storage_->device, storage_->data, storage_->bytes,
                                          std::move(ready), storage_->owner, false));
}

StatusOr<std::shared_ptr<const ViewDesc>> ViewDesc::dense(DType dtype,
                                                          std::span<const std::int64_t> dims) {
  auto desc = std::make_shared<ViewDesc>();
  desc->dtype = dtype;
  desc->dims.assign(dims.begin(), dims.end());
  desc->byte_strides.resize(dims.size());
  // Strides ignore empty dimensions, so that the size of an empty view cannot hide an overflow.
  auto stride = static_cast<std::int64_t>(byte_size(dtype));
  for (std::size_t d = dims.size(); d-- > 0;) {
    if (dims[d] < 0) {
      return error_status(Code::invalid_argument,
                          format("dimension {} is negative: {}", d, dims[d]));
    }
    desc->byte_strides[d] = stride;
    desc->elements *= dims[d] == 0 ? 0 : 1;
    if (dims[d] > 0 && __builtin_mul_overflow(stride, dims[d], &stride)) {
      return error_status(Code::out_of_range,
                          format("dims [{}] exceed 2^63 bytes", fmt::join(dims, ", ")));
    }
  }
  if (desc->elements != 0) {
    desc->elements = stride / static_cast<std::int64_t>(byte_size(dtype));
    desc->bytes = static_cast<std::size_t>(stride);
  }
  return desc;
}

StatusOr<BufferView> BufferView::allocate(const Device& device,
                                          std::shared_ptr<const ViewDesc> desc, Event ready) {
  HYP_TRY(Buffer buffer, Buffer::allocate(device, desc->bytes, std::move(ready)));
  return BufferView(std::move(buffer), std::move(desc));
}

StatusOr<BufferView> BufferView::from_host(const Device& device, DType dtype,
                                           std::span<const std::int64_t> dims,
                                           std::span<const std::byte> bytes) {
  HYP_TRY(auto desc, ViewDesc::dense(dtype, dims));
  if (bytes.size() != desc->bytes) {
    return error_status(Code::invalid_argument,
                        format("{}[{}] needs {} bytes, got {}", dtype_name(dtype),
                               fmt::join(dims, ", "), desc->bytes, bytes.size()));
  }
  HYP_TRY(BufferView view, allocate(device, std::move(desc)));
  HYP_TRY_VOID(device.backend().upload(view.data(), bytes));
  return view;
}

StatusOr<BufferView> BufferView::slice(std::span<const std::int64_t> begin,
                                       std::span<const std::int64_t> end) const {
  const std::vector<std::int64_t>& dims = desc_->dims;
  if (begin.size() != dims.size() || end.size() != dims.size()) {
    return error_status(Code::invalid_argument,
                        format("a view of rank {} is sliced with {} begins and {} ends",
                               dims.size(), begin.size(), end.size()));
  }
  auto desc = std::make_shared<ViewDesc>(*desc_);
  std::int64_t offset = 0;
  std::int64_t dense_stride = static_cast<std::int64_t>(byte_size(desc->dtype));
  desc->elements = 1;
  desc->is_dense = true;
  for (std::size_t d = dims.size(); d-- > 0;) {
    if (begin[d] < 0 || begin[d] > end[d] || end[d] > dims[d]) {
      return error_status(Code::out_of_range, format("slice [{}, {}) of dimension {} of size {}",
                                                     begin[d], end[d], d, dims[d]));
    }
    desc->dims[d] = end[d] - begin[d];
    // No element lies behind an empty slice, so its offset must not leave the buffer.
    if (begin[d] < dims[d]) offset += begin[d] * desc->byte_strides[d];
    if (desc->dims[d] != 1 && desc->byte_strides[d] != dense_stride) desc->is_dense = false;
    dense_stride *= desc->dims[d];
    desc->elements *= desc->dims[d];
  }
  desc->bytes = static_cast<std::size_t>(desc->elements) * byte_size(desc->dtype);
  if (desc->elements == 0) {
    desc->is_dense = true;
    offset = 0;
  }
  return BufferView(buffer_, std::move(desc),
                    static_cast<std::size_t>(static_cast<std::int64_t>(offset_) + offset));
}

StatusOr<> BufferView::read(std::span<std::byte> to) const {
  if (to.size() != desc_->bytes) {
    return error_status(Code::invalid_argument,
                        format("reading {} bytes into {}", desc_->bytes, to.size()));
  }
  HYP_TRY_VOID(wait_until_usable());
  return read_elements(to);
}

StatusOr<> BufferView::wait_until_usable() const {
  HYP_TRY_VOID(ready().wait());
  if (buffer_.spent()) return spent_error();
  return {};
}

StatusOr<> BufferView::read_elements(std::span<std::byte> to) const {
  const Device& device = buffer_.device();
  if (device.is_host()) {
    copy_dense(to.data(), data(), *desc_);
    return {};
  }
  if (desc_->is_dense) return device.backend().download(to, data());
  // Through the host: all of the buffer, since the view may reach anywhere in it.
  std::vector<std::byte> all(buffer_.bytes());
  HYP_TRY_VOID(device.backend().download(all, buffer_.data()));
  copy_dense(to.data(), all.data() + offset_, *desc_);
  return {};
}

StatusOr<std::span<const std::byte>> BufferView::host_bytes() const {
  HYP_TRY_VOID(wait_until_usable());
  if (!desc_->is_dense) {
    return error_status(Code::failed_precondition, "the view is not dense", {}, "use read()");
  }
  if (!buffer_.device().is_host()) {
    return error_status(Code::failed_precondition,
                        format("the bytes are on {}, not on the host", buffer_.device().name()), {},
                        "use read(), or to() first");
  }
  return std::span<const std::byte>(data(), desc_->bytes);
}

StatusOr<BufferView> BufferView::to_dense() const {
  if (desc_->is_dense && reinterpret_cast<std::uintptr_t>(data()) % kAlignment == 0) return *this;
  HYP_TRY_VOID(wait_until_usable());
  return copy_to(buffer_.device());
}

StatusOr<BufferView> BufferView::copy_to(const Device& device) const {
  HYP_TRY(auto desc, ViewDesc::dense(desc_->dtype, desc_->dims));
  HYP_TRY(BufferView copy, allocate(device, std::move(desc)));
  const std::size_t bytes = copy.desc().bytes;
  if (device.is_host()) {
    HYP_TRY_VOID(read_elements({copy.data(), bytes}));
    return copy;
  }
  if (buffer_.device().is_host() && desc_->is_dense) {
    HYP_TRY_VOID(device.backend().upload(copy.data(), {data(), bytes}));
    return copy;
  }
  std::vector<std::byte> dense(bytes);
  HYP_TRY_VOID(read_elements(dense));
  HYP_TRY_VOID(device.backend().upload(copy.data(), dense));
  return copy;
}

StatusOr<BufferView> BufferView::to(const Device& device) const {
  if (buffer_.device() == device) return *this;
  HYP_TRY_VOID(wait_until_usable());
  return copy_to(device);
}

BufferView BufferView::donate() && {
  BufferView view = std::move(*this);
  buffer_ = {};
  desc_.reset();
  view.donated_ = true;
  return view;
}

}  // namespace hyperion::runtime

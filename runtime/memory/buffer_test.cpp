#include "runtime/memory/buffer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

namespace hyperion::runtime {
namespace {

using Dims = std::vector<std::int64_t>;

Device cpu() {
  static const Device device = Device::make_cpu({.threads = 1});
  return device;
}

template <class T>
std::vector<T> read(const BufferView& view) {
  std::vector<T> values(static_cast<std::size_t>(view.desc().elements));
  EXPECT_TRUE(view.read(std::as_writable_bytes(std::span(values))).has_value());
  return values;
}

BufferView iota(const Dims& dims) {
  std::int32_t count = 1;
  for (std::int64_t dim : dims) count *= static_cast<std::int32_t>(dim);
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 0);
  return *BufferView::from_host(cpu(), DType::i32, dims, std::as_bytes(std::span(values)));
}

TEST(BufferView, RoundTripFromHost) {
  const BufferView view = iota({2, 3});
  EXPECT_EQ(view.desc().dims, (Dims{2, 3}));
  EXPECT_EQ(view.desc().byte_strides, (Dims{12, 4}));
  EXPECT_EQ(read<std::int32_t>(view), (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(read<std::int32_t>(iota({})), (std::vector<std::int32_t>{0}));
  EXPECT_EQ(read<std::int32_t>(iota({3, 0, 2})).size(), 0u);
}

TEST(BufferView, SlicesShareTheBuffer) {
  const BufferView view = iota({3, 4, 5});
  const Dims begin{1, 1, 2}, end{3, 3, 4};
  const BufferView part = *view.slice(begin, end);
  EXPECT_EQ(part.buffer(), view.buffer());
  EXPECT_FALSE(part.desc().is_dense);
  EXPECT_EQ(read<std::int32_t>(part), (std::vector<std::int32_t>{27, 28, 32, 33, 47, 48, 52, 53}));
  // A slice of a slice.
  const Dims b2{1, 0, 1}, e2{2, 2, 2};
  EXPECT_EQ(read<std::int32_t>(*part.slice(b2, e2)), (std::vector<std::int32_t>{48, 53}));
  // Leading rows are dense.
  const Dims b3{1, 0, 0}, e3{2, 4, 5};
  const BufferView rows = *view.slice(b3, e3);
  EXPECT_TRUE(rows.desc().is_dense);
  EXPECT_EQ(read<std::int32_t>(rows).front(), 20);
  const Dims b4{3, 4, 5};
  EXPECT_EQ(read<std::int32_t>(*view.slice(b4, b4)).size(), 0u);
}

TEST(BufferView, ToDenseCopiesOnlyWhenNeeded) {
  const BufferView view = iota({4, 4});
  EXPECT_EQ(view.to_dense()->buffer(), view.buffer());
  const Dims begin{0, 1}, end{4, 3};
  const BufferView dense = *view.slice(begin, end)->to_dense();
  EXPECT_NE(dense.buffer(), view.buffer());
  EXPECT_TRUE(dense.desc().is_dense);
  EXPECT_EQ(read<std::int32_t>(dense), (std::vector<std::int32_t>{1, 2, 5, 6, 9, 10, 13, 14}));
}

TEST(BufferView, Errors) {
  const BufferView view = iota({2, 3});
  std::vector<std::byte> small(5);
  EXPECT_EQ(view.read(small).error().code, Code::invalid_argument);
  const Dims dims{4};
  EXPECT_EQ(BufferView::from_host(cpu(), DType::f32, dims, small).error().message,
            "f32[4] needs 16 bytes, got 5");
  const Dims begin{0, 2}, end{2, 4}, short_begin{0};
  EXPECT_EQ(view.slice(begin, end).error().code, Code::out_of_range);
  EXPECT_EQ(view.slice(short_begin, end).error().code, Code::invalid_argument);
  const Dims negative{2, -1};
  EXPECT_EQ(ViewDesc::dense(DType::f32, negative).error().code, Code::invalid_argument);
  const Dims huge{std::int64_t{1} << 40, std::int64_t{1} << 40, 0};
  EXPECT_EQ(ViewDesc::dense(DType::f32, huge).error().code, Code::out_of_range);
}

TEST(BufferView, ReadReportsTheProducersError) {
  EventSource source;
  const Dims dims{2};
  const BufferView view =
      *BufferView::allocate(cpu(), *ViewDesc::dense(DType::f32, dims), source.event());
  source.fail({Code::internal, "kernel failed", "softmax", ""});
  std::vector<std::byte> bytes(8);
  EXPECT_EQ(view.read(bytes).error().where, "softmax");
  EXPECT_EQ(view.host_bytes().error().where, "softmax");
}

TEST(Buffer, MemoryReturnsWithTheLastHandle) {
  const std::uint64_t before = cpu().memory().in_use;
  {
    const BufferView view = iota({100});
    const BufferView copy = view;  // NOLINT(performance-unnecessary-copy-initialization)
    EXPECT_GT(cpu().memory().in_use, before);
  }
  EXPECT_EQ(cpu().memory().in_use, before);
}

TEST(Buffer, TakeOverMovesTheMemoryAndSpendsTheOldHandles) {
  const std::uint64_t before = cpu().memory().in_use;
  {
    const BufferView view = iota({4});
    const BufferView copy = view;
    const std::byte* data = view.data();
    view.buffer().begin_use();
    const Buffer taken = view.buffer().take_over({});
    view.buffer().end_use();
    ASSERT_TRUE(bool(taken));
    EXPECT_EQ(taken.data(), data);
    std::vector<std::byte> bytes(16);
    EXPECT_EQ(copy.read(bytes).error().code, Code::failed_precondition);
    EXPECT_TRUE(copy.buffer().spent());
    EXPECT_FALSE(taken.spent());
  }
  EXPECT_EQ(cpu().memory().in_use, before);
}

TEST(Buffer, MemoryInUseElsewhereOrWrappedIsNotTakenOver) {
  const BufferView view = iota({4});
  view.buffer().begin_use();
  view.buffer().begin_use();
  EXPECT_FALSE(bool(view.buffer().take_over({})));
  EXPECT_TRUE(view.buffer().spent());

  auto owner = std::make_shared<std::vector<std::byte>>(64);
  const Buffer wrapped = Buffer::wrap(cpu(), *owner, owner);
  wrapped.begin_use();
  EXPECT_FALSE(bool(wrapped.take_over({})));
}

TEST(Device, DescribesItself) {
  EXPECT_EQ(cpu().name(), "cpu:0");
  EXPECT_EQ(cpu().kind(), "cpu");
  EXPECT_EQ(cpu().threads(), 1);
  EXPECT_GE(cpu().info().cores, 1);
  EXPECT_FALSE(cpu().info().features.empty());
  EXPECT_GT(cpu().info().memory_bytes, 0u);
}

}  // namespace
}  // namespace hyperion::runtime

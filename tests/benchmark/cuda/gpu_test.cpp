// The clock, on a GPU made of host memory: kernels do not run there, copies do.
#include "tests/benchmark/cuda/gpu.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_gpus.hpp"

namespace hyperion::benchmark {
namespace {

std::unique_ptr<Gpu> fake_gpu(const testing_support::FakeGpus& gpus) {
  auto gpu = Gpu::create({gpus.instance, *gpus.instance->device("cuda:0")});
  EXPECT_TRUE(gpu) << gpu.error().text();
  return gpu ? *std::move(gpu) : nullptr;
}

TEST(Gpu, TimesEveryCallAfterAFlush) {
  const auto gpus = testing_support::make_fake_gpus(1);
  const auto gpu = fake_gpu(gpus);
  ASSERT_NE(gpu, nullptr);
  const auto copying = gpu->copying(1 << 20);
  ASSERT_TRUE(copying) << copying.error().text();
  const std::size_t fills = gpus.driver->count("cuMemsetD8Async"), copies = gpus.driver->count("cuMemcpyDtoDAsync");
  const auto seconds = gpu->device_seconds(**copying, 3);
  ASSERT_TRUE(seconds) << seconds.error().text();
  EXPECT_EQ(seconds->size(), 3u);
  EXPECT_EQ(gpus.driver->count("cuMemsetD8Async") - fills, 3u);
  EXPECT_EQ(gpus.driver->count("cuMemcpyDtoDAsync") - copies, 3u);
  const auto mean = gpu->wall_seconds(**copying, 5);
  ASSERT_TRUE(mean) << mean.error().text();
  EXPECT_GT(*mean, 0);
  EXPECT_EQ(gpus.driver->count("cuMemcpyDtoDAsync") - copies, 8u);
}

TEST(Gpu, ReadsOneElement) {
  const auto gpus = testing_support::make_fake_gpus(1);
  const auto gpu = fake_gpu(gpus);
  ASSERT_NE(gpu, nullptr);
  const std::array<float, 6> values{0, 1, 2, 3, 4, 5};
  const std::array<std::int64_t, 2> dims{2, 3};
  const auto array = runtime::BufferView::from_host(gpu->device(), DType::f32, dims, std::as_bytes(std::span(values)));
  ASSERT_TRUE(array);
  EXPECT_EQ(gpu->element(*array, 4).value_or(0), 4);
}

TEST(Gpu, ADeviceOfAnotherKindIsRefused) {
  EXPECT_FALSE(Gpu::open("cpu:0"));
}

}  // namespace
}  // namespace hyperion::benchmark

// Batches as tensors: the same as the loader's, on the device, one ahead.
#include "frontend/tensor_batches.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "frontend/hyperion.hpp"
#include "tests/support/fake_gpus.hpp"

namespace hyperion::data {
namespace {

using testing_support::ScopedFakeGpus;
using Floats = std::vector<float>;

const BatchOptions kOptions{.batch_size = 8, .drop_last = false, .mean = 0.25f, .deviation = 0.5f};

void expect_the_loaders_batches(const BatchOptions& options, Device device) {
  const LabelledImages set = generate_digits(20, 1);
  const BatchPosition start{7, 0, 8};
  const auto loader = *BatchLoader::create(set, options, start);
  const ScopedDevice scope(device);
  const auto batches = TensorBatches::create(set, options, start);
  EXPECT_EQ(batches->batches_per_epoch(), 3);
  for (int k = 0; k < 7; ++k) {
    const Batch& expected = loader->next();
    const TensorBatch batch = batches->next();
    EXPECT_EQ(batch.images.device(), device);
    EXPECT_EQ(batch.images.shape(), (Shape{expected.size, 28, 28}));
    EXPECT_EQ(batch.images.to_vector<float>(), Floats(expected.images.begin(), expected.images.end()));
    EXPECT_EQ(batch.labels.to_vector<std::int32_t>(),
              std::vector<std::int32_t>(expected.labels.begin(), expected.labels.end()));
    EXPECT_EQ(batch.size, expected.size);
    EXPECT_EQ(batch.ends_epoch, expected.ends_epoch);
    EXPECT_EQ(batch.after, expected.after);
  }
}

TEST(TensorBatches, AreTheLoadersBatches) {
  const ScopedFakeGpus gpus;
  for (const Device& device : {Device("cpu"), Device("cuda")}) {
    BatchOptions options = kOptions;
    expect_the_loaders_batches(options, device);
    options.prefetch = false;
    expect_the_loaders_batches(options, device);
  }
}

TEST(TensorBatches, TheNextOneIsOnTheDeviceAlready) {
  const ScopedFakeGpus gpus;
  const LabelledImages set = generate_digits(64, 1);
  const ScopedDevice scope("cuda");
  const auto batches = TensorBatches::create(set, kOptions);
  batches->next();
  EXPECT_EQ(gpus.uploads(), 4u);  // images and labels of two batches
  const std::uint64_t allocations = frontend::runtime_device("cuda")->memory().allocations;
  for (int k = 0; k < 20; ++k) batches->next();
  EXPECT_EQ(frontend::runtime_device("cuda")->memory().allocations, allocations);
  EXPECT_EQ(gpus.downloads(), 0u);
}

TEST(TensorBatches, ErrorsOfTheThreadReachTheCaller) {
  const ScopedFakeGpus gpus;
  const LabelledImages set = generate_digits(64, 1);
  const ScopedDevice scope("cuda");
  gpus.driver().fail(3, runtime::cuda::CUDA_ERROR_ILLEGAL_ADDRESS, "cuMemcpyHtoDAsync");
  const auto batches = TensorBatches::create(set, kOptions);
  batches->next();
  EXPECT_THROW(batches->next(), Error);
  EXPECT_THROW(batches->next(), Error);
}

TEST(TensorBatches, EndWhenNobodyWantsThem) {
  const LabelledImages set = generate_digits(64, 1);
  for (int k = 0; k < 20; ++k) {
    const auto batches = TensorBatches::create(set, kOptions);
    if (k % 2 == 0) batches->next();
  }
}

}  // namespace
}  // namespace hyperion::data

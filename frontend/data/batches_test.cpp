#include "frontend/data/batches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/support/allocations.hpp"

namespace hyperion::data {
namespace {

// Image i is filled with the value i, so that a batch shows which examples it holds.
LabelledImages numbered(std::int64_t count) {
  LabelledImages set{HostArray::zeros(DType::u8, {count, 2, 3}),
                     HostArray::zeros(DType::u8, {count})};
  for (std::int64_t i = 0; i < count; ++i) {
    std::ranges::fill(set.images.as<std::uint8_t>().subspan(i * 6, 6),
                      static_cast<std::uint8_t>(i));
    set.labels.as<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 10);
  }
  return set;
}

std::vector<int> examples_of(const Batch& batch) {
  std::vector<int> examples;
  for (std::int64_t i = 0; i < batch.size; ++i) {
    examples.push_back(static_cast<int>(batch.images[i * 6] * 255.0f + 0.5f));
  }
  return examples;
}

std::vector<int> one_epoch(BatchLoader& loader) {
  std::vector<int> examples;
  while (true) {
    const Batch& batch = loader.next();
    for (int example : examples_of(batch)) examples.push_back(example);
    if (batch.ends_epoch) return examples;
  }
}

class Batches : public testing::TestWithParam<bool> {  // with and without the thread
 protected:
  BatchOptions options(std::int64_t batch_size) const {
    BatchOptions options;
    options.batch_size = batch_size;
    options.prefetch = GetParam();
    return options;
  }
};
INSTANTIATE_TEST_SUITE_P(Prefetch, Batches, testing::Bool(),
                         [](const auto& info) { return info.param ? "On" : "Off"; });

TEST_P(Batches, AnEpochHoldsEveryExampleOnce) {
  const LabelledImages set = numbered(50);
  BatchOptions all = options(8);
  all.drop_last = false;
  const auto loader = BatchLoader::create(set, all).value();
  EXPECT_EQ(loader->batches_per_epoch(), 7);
  std::vector<int> expected(50);
  std::iota(expected.begin(), expected.end(), 0);
  const std::vector<int> first = one_epoch(*loader);
  const std::vector<int> second = one_epoch(*loader);
  EXPECT_NE(first, second);
  for (std::vector<int> epoch : {first, second}) {
    EXPECT_NE(epoch, expected);
    std::ranges::sort(epoch);
    EXPECT_EQ(epoch, expected);
  }
}

TEST_P(Batches, DropLastLeavesOutTheRemainder) {
  const LabelledImages set = numbered(50);
  const auto loader = BatchLoader::create(set, options(8)).value();
  EXPECT_EQ(loader->batches_per_epoch(), 6);
  EXPECT_EQ(one_epoch(*loader).size(), 48u);
  EXPECT_EQ(loader->position(), (BatchPosition{0, 1, 0}));
}

TEST_P(Batches, WithoutShufflingTheOrderIsTheSets) {
  const LabelledImages set = numbered(20);
  BatchOptions in_order = options(6);
  in_order.shuffle = false;
  in_order.drop_last = false;
  const auto loader = BatchLoader::create(set, in_order).value();
  const std::vector<int> examples = one_epoch(*loader);
  EXPECT_TRUE(std::ranges::is_sorted(examples));
  EXPECT_EQ(examples.size(), 20u);
}

TEST_P(Batches, PixelsAreNormalisedAndLabelsFollowTheirImages) {
  const LabelledImages set = numbered(200);
  BatchOptions normalised = options(50);
  normalised.mean = 0.25f;
  normalised.deviation = 0.5f;
  const auto loader = BatchLoader::create(set, normalised).value();
  const Batch& batch = loader->next();
  ASSERT_EQ(batch.images.size(), 300u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch.images.data()) % 64, 0u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch.labels.data()) % 64, 0u);
  for (std::size_t i = 0; i < 50; ++i) {
    const int example = static_cast<int>((batch.images[i * 6] * 0.5f + 0.25f) * 255.0f + 0.5f);
    EXPECT_EQ(batch.labels[i], example % 10);
    EXPECT_EQ(batch.images[i * 6 + 5], (static_cast<float>(example) / 255.0f - 0.25f) / 0.5f);
  }
}

TEST_P(Batches, ContinuesExactlyFromEverySavedPosition) {
  const LabelledImages set = numbered(50);
  const BatchPosition start{99, 0, 0};
  const auto whole = BatchLoader::create(set, options(8), start).value();
  std::vector<std::vector<int>> batches;
  std::vector<BatchPosition> positions = {whole->position()};
  for (int i = 0; i < 20; ++i) {
    const Batch& batch = whole->next();
    batches.push_back(examples_of(batch));
    EXPECT_EQ(whole->position(), batch.after);
    positions.push_back(batch.after);
  }
  for (std::size_t from = 0; from < 19; ++from) {
    const auto resumed = BatchLoader::create(set, options(8), positions[from]).value();
    EXPECT_EQ(resumed->position(), positions[from]);
    EXPECT_EQ(examples_of(resumed->next()), batches[from]);
    EXPECT_EQ(examples_of(resumed->next()), batches[from + 1]);
  }
}

TEST_P(Batches, SteadyStateAllocatesNothing) {
  const LabelledImages set = numbered(50);
  const auto loader = BatchLoader::create(set, options(8)).value();
  loader->next();
  testing_support::start_counting_allocations();
  for (int i = 0; i < 100; ++i) loader->next();  // sixteen epochs
  EXPECT_EQ(testing_support::allocations_since_start().count, 0u);
}

TEST_P(Batches, RefusesWhatGivesNoBatch) {
  const LabelledImages set = numbered(5);
  const auto error = [&](std::int64_t batch_size, BatchPosition start) {
    return BatchLoader::create(set, options(batch_size), start).error().text();
  };
  EXPECT_EQ(error(0, {}), "invalid_argument: batch size 0 is not positive");
  EXPECT_EQ(error(6, {}),
            "invalid_argument: 5 examples give no batch of 6; use a smaller batch size");
  EXPECT_EQ(error(2, {0, 1, 3}),
            "invalid_argument: cannot continue at example 3 of epoch 1: the set has 5 examples and "
            "batches of 2; continue with the data set and batch size of the saved run");
  EXPECT_FALSE(BatchLoader::create(set, options(2), {0, 0, 4}));  // one example is no batch
  EXPECT_FALSE(BatchLoader::create(set, options(2), {0, 0, 6}));
  EXPECT_FALSE(BatchLoader::create(set, options(2), {0, -1, 0}));
}

TEST(BatchLoader, TheThreadChangesNothing) {
  const LabelledImages set = numbered(50);
  BatchOptions with;
  with.batch_size = 7;
  BatchOptions without = with;
  without.prefetch = false;
  const auto a = BatchLoader::create(set, with, {5, 0, 0}).value();
  const auto b = BatchLoader::create(set, without, {5, 0, 0}).value();
  for (int i = 0; i < 50; ++i) {
    const Batch& left = a->next();
    const Batch& right = b->next();
    EXPECT_TRUE(std::ranges::equal(left.images, right.images));
    EXPECT_EQ(left.after, right.after);
  }
}

// One order for all platforms: resuming on another machine continues the same epoch.
TEST(BatchLoader, ShuffleIsTheSameEverywhere) {
  const LabelledImages set = numbered(10);
  BatchOptions options;
  options.batch_size = 10;
  const auto loader = BatchLoader::create(set, options, {42, 3, 0}).value();
  EXPECT_EQ(examples_of(loader->next()), (std::vector<int>{3, 8, 6, 7, 9, 5, 1, 4, 2, 0}));
}

TEST(BatchLoader, CanBeDestroyedWhileTheThreadIsAhead) {
  const LabelledImages set = numbered(50);
  for (int i = 0; i < 200; ++i) {
    const auto loader = BatchLoader::create(set, {.batch_size = 8}).value();
    if (i % 2 == 0) loader->next();
  }
}

TEST(Rows, KeepArraysTogether) {
  std::vector<float> features;
  std::vector<std::int64_t> labels;
  for (int row = 0; row < 7; ++row) {
    features.insert(features.end(), {static_cast<float>(row), static_cast<float>(row) + 0.5f});
    labels.push_back(10 * row);
  }
  const HostArray x = HostArray::from<float>(features, {7, 2});
  const HostArray y = HostArray::from<std::int64_t>(labels, {7});
  for (bool prefetch : {false, true}) {
    const BatchOptions options{.batch_size = 3, .drop_last = false, .prefetch = prefetch};
    auto loader = RowLoader::create({&x, &y}, options, {.seed = 4}).value();
    EXPECT_EQ(loader->batches_per_epoch(), 3);
    std::vector<std::int64_t> seen;
    BatchPosition second;
    for (int batch = 0; batch < 3; ++batch) {
      const RowBatch& rows = loader->next();
      EXPECT_EQ(rows.size, batch == 2 ? 1 : 3);
      EXPECT_EQ(rows.ends_epoch, batch == 2);
      const auto features_of = rows.as<float>(0);
      const auto labels_of = rows.as<std::int64_t>(1);
      ASSERT_EQ(std::ssize(features_of), 2 * rows.size);
      for (std::size_t i = 0; i < labels_of.size(); ++i) {
        EXPECT_EQ(10 * features_of[2 * i], static_cast<float>(labels_of[i]));
        EXPECT_EQ(features_of[2 * i + 1], features_of[2 * i] + 0.5f);
      }
      seen.insert(seen.end(), labels_of.begin(), labels_of.end());
      if (batch == 0) second = rows.after;
    }
    EXPECT_NE(seen, labels);
    const std::vector<std::int64_t> rest(seen.begin() + 3, seen.begin() + 6);
    std::ranges::sort(seen);
    EXPECT_EQ(seen, labels);
    auto resumed = RowLoader::create({&x, &y}, options, second).value();
    const auto again = resumed->next().as<std::int64_t>(1);
    EXPECT_TRUE(std::ranges::equal(again, rest));
  }
}

TEST(Rows, ArraysHaveEquallyManyRows) {
  const HostArray x = HostArray::zeros(DType::f32, {7, 2}), y = HostArray::zeros(DType::i64, {6});
  EXPECT_EQ(RowLoader::create({&x, &y}, {.batch_size = 2}).error().text(),
            "invalid_argument: array 1 has 6 rows, array 0 has 7");
  EXPECT_EQ(RowLoader::create({}, {.batch_size = 2}).error().text(),
            "invalid_argument: there are no rows to make batches of");
}

}  // namespace
}  // namespace hyperion::data

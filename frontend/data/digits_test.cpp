#include "frontend/data/digits.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "frontend/data/digit_glyphs.hpp"
#include "ir/support/hash.hpp"

namespace hyperion::data {
namespace {

constexpr std::size_t kPixels = kDigitSide * kDigitSide;

// One hash for all platforms, compilers and build types. A deliberate change of the drawing changes
// it, and with it every published accuracy on this data set.
TEST(Digits, AreTheSameBitsEverywhere) {
  const LabelledImages set = generate_digits(256, 7);
  EXPECT_EQ(hash_bytes(set.images.bytes).hex(), "5cde06888bdf1f7b38677873f26f8e1c");
  EXPECT_EQ(hash_bytes(set.labels.bytes).hex(), "0b99d00efaa72e7e69a90dc235b05f50");
}

TEST(Digits, DoNotDependOnTheNumberOfThreads) {
  const LabelledImages one = generate_digits(101, 3, 0, 1);
  for (int threads : {2, 3, 7, 0}) {
    const LabelledImages many = generate_digits(101, 3, 0, threads);
    EXPECT_EQ(many.images, one.images) << threads;
    EXPECT_EQ(many.labels, one.labels) << threads;
  }
}

TEST(Digits, AnImageDependsOnSeedAndIndexAlone) {
  const LabelledImages all = generate_digits(50, 11);
  const LabelledImages tail = generate_digits(20, 11, 30);
  EXPECT_TRUE(
      std::ranges::equal(tail.images.bytes, std::span(all.images.bytes).subspan(30 * kPixels)));
  EXPECT_TRUE(std::ranges::equal(tail.labels.bytes, std::span(all.labels.bytes).subspan(30)));
  EXPECT_NE(generate_digits(50, 12).images, all.images);
}

TEST(Digits, NoneAndOne) {
  EXPECT_EQ(generate_digits(0, 0).images.dims, (std::vector<std::int64_t>{0, 28, 28}));
  EXPECT_EQ(generate_digits(1, 0, 0, 8).labels.element_count(), 1);
}

TEST(Digits, ClassesAreBalancedAndEveryVariantIsDrawable) {
  const LabelledImages set = generate_digits(5000, 0);
  std::array<int, 10> counts{};
  for (std::uint8_t label : set.labels.as<std::uint8_t>()) ++counts.at(label);
  for (int count : counts) EXPECT_NEAR(count, 500, 100);  // 4.7 standard deviations
  for (int digit = 0; digit < 10; ++digit) {
    EXPECT_GE(glyphs_of(digit).size(), 3u);
    for (const Glyph& glyph : glyphs_of(digit)) {
      for (const Stroke& stroke : glyph) EXPECT_GE(stroke.points.size(), 2u) << digit;
    }
  }
}

// What MNIST's format promises: dark border, bright ink, drawing near the middle.
TEST(Digits, LookLikeMnistInTheirStatistics) {
  const LabelledImages set = generate_digits(2000, 5);
  const auto pixels = set.images.as<std::uint8_t>();
  double sum = 0;
  double border = 0;
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::size_t x = i % 28;
    const std::size_t y = i / 28 % 28;
    sum += pixels[i];
    if (x == 0 || y == 0 || x == 27 || y == 27) border += pixels[i];
  }
  EXPECT_NEAR(sum / pixels.size() / 255.0, 0.149, 0.01);     // MNIST: 0.131
  EXPECT_LT(border / (2000 * (4 * 28 - 4)) / 255.0, 0.015);  // faint grain, rarely ink
  for (std::size_t image = 0; image < 2000; ++image) {
    const auto one = pixels.subspan(image * kPixels, kPixels);
    EXPECT_GE(*std::ranges::max_element(one), 150) << image;
    EXPECT_GE(std::ranges::count_if(one, [](std::uint8_t p) { return p > 100; }), 15) << image;
  }
}

// Labels belong to their images: the nearest class mean alone is right four times out of five.
TEST(Digits, AreLearnable) {
  const LabelledImages train = generate_digits(3000, 1);
  const LabelledImages test = generate_digits(500, 1, 3000);
  std::vector<std::array<double, kPixels>> means(10);
  std::array<int, 10> counts{};
  for (std::size_t i = 0; i < 3000; ++i) {
    const std::uint8_t label = train.labels.as<std::uint8_t>()[i];
    ++counts[label];
    for (std::size_t p = 0; p < kPixels; ++p) {
      means[label][p] += train.images.as<std::uint8_t>()[i * kPixels + p];
    }
  }
  int right = 0;
  for (std::size_t i = 0; i < 500; ++i) {
    std::array<double, 10> distance{};
    for (std::size_t digit = 0; digit < 10; ++digit) {
      for (std::size_t p = 0; p < kPixels; ++p) {
        const double d =
            means[digit][p] / counts[digit] - test.images.as<std::uint8_t>()[i * kPixels + p];
        distance[digit] += d * d;
      }
    }
    const auto nearest = std::ranges::min_element(distance) - distance.begin();
    right += nearest == test.labels.as<std::uint8_t>()[i];
  }
  EXPECT_GE(right, 350);
  RecordProperty("nearest_mean_right_of_500", right);
}

}  // namespace
}  // namespace hyperion::data

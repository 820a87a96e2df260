#include "passes/memory/arena.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace hyperion::passes {
namespace {

std::vector<Lifetime> random_lifetimes(std::size_t count) {
  std::mt19937 random(5);
  std::vector<Lifetime> values;
  for (std::size_t k = 0; k < count; ++k) {
    const auto begin = static_cast<std::int64_t>(k);
    const auto length = static_cast<std::int64_t>(random() % 10 == 0 ? random() % 200 : random() % 5);
    values.push_back({.begin = begin, .end = begin + length, .bytes = random() % 7 * 1000});
  }
  std::ranges::shuffle(values, random);
  return values;
}

void expect_disjoint(const std::vector<Lifetime>& values, const ArenaLayout& layout) {
  ASSERT_EQ(layout.offsets.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_EQ(layout.offsets[i] % kArenaAlignment, 0u);
    EXPECT_LE(layout.offsets[i] + values[i].bytes, layout.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      if (values[i].end < values[j].begin || values[j].end < values[i].begin) continue;
      if (values[i].bytes == 0 || values[j].bytes == 0) continue;
      const bool apart = layout.offsets[i] + values[i].bytes <= layout.offsets[j] ||
                         layout.offsets[j] + values[j].bytes <= layout.offsets[i];
      ASSERT_TRUE(apart) << i << " and " << j;
    }
  }
}

TEST(Arena, ValuesThatLiveTogetherLieApart) {
  for (const std::size_t count : {std::size_t{300}, kCarefulValues + 500}) {
    const std::vector<Lifetime> values = random_lifetimes(count);
    const ArenaLayout layout = plan_arena(values);
    expect_disjoint(values, layout);
    EXPECT_GE(layout.bytes, layout.lower_bound);
    EXPECT_LE(layout.bytes, 2 * layout.lower_bound) << "memory is not used again";
  }
}

TEST(Arena, EmptyValuesNeedNothing) {
  const std::vector<Lifetime> values(kCarefulValues + 1, Lifetime{.begin = 0, .end = 3, .bytes = 0});
  EXPECT_EQ(plan_arena(values).bytes, 0u);
}

}  // namespace
}  // namespace hyperion::passes

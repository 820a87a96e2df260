#include "tests/fuzz/mutate.hpp"

#include <gtest/gtest.h>

namespace hyperion::fuzz {
namespace {

TEST(Mutator, SameSeedSameTexts) {
  Mutator a({"func @f() {}", "x\ny"}, {"%0", "("}, 3), b({"func @f() {}", "x\ny"}, {"%0", "("}, 3);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a.next(), b.next());
}

}  // namespace
}  // namespace hyperion::fuzz

// Products, windows, printing and random numbers against references in plain C++.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/indexing.hpp"
#include "frontend/ops/linalg.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/ops/window.hpp"
#include "frontend/random.hpp"
#include "frontend/testing.hpp"

namespace hyperion {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::expect_close;
using testing::numbers;

Tensor sample(Shape shape, double phase) {
  std::int64_t count = 1;
  for (std::int64_t size : shape) count *= size;
  return from_vector(numbers(static_cast<std::size_t>(count), phase), std::move(shape));
}

// [batch, m, k] x [batch, k, n], where a batch of 1 repeats.
Doubles product(const Doubles& x, const Doubles& y, int batch_x, int batch_y, int m, int k, int n) {
  const int batch = std::max(batch_x, batch_y);
  Doubles out(static_cast<std::size_t>(batch * m * n));
  for (int b = 0; b < batch; ++b) {
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        double total = 0;
        for (int l = 0; l < k; ++l) {
          total += x[static_cast<std::size_t>(((b % batch_x) * m + i) * k + l)] *
                   y[static_cast<std::size_t>(((b % batch_y) * k + l) * n + j)];
        }
        out[static_cast<std::size_t>((b * m + i) * n + j)] = total;
      }
    }
  }
  return out;
}

TEST(MatmulTest, FollowsNumPy) {
  const auto check = [](Shape sx, Shape sy, Shape expected, int bx, int by, int m, int k, int n) {
    const Tensor x = sample(sx, 0.1), y = sample(sy, 0.7), z = matmul(x, y);
    EXPECT_EQ(z.shape(), expected);
    expect_close(z, product(x.to_vector<double>(), y.to_vector<double>(), bx, by, m, k, n), 1e-13);
  };
  check({3, 4}, {4, 5}, {3, 5}, 1, 1, 3, 4, 5);
  check({4}, {4, 5}, {5}, 1, 1, 1, 4, 5);
  check({3, 4}, {4}, {3}, 1, 1, 3, 4, 1);
  check({4}, {4}, {}, 1, 1, 1, 4, 1);
  check({2, 3, 4}, {4, 5}, {2, 3, 5}, 2, 1, 3, 4, 5);
  check({3, 4}, {2, 4, 5}, {2, 3, 5}, 1, 2, 3, 4, 5);
  check({2, 3, 4}, {2, 4, 5}, {2, 3, 5}, 2, 2, 3, 4, 5);
  check({1, 3, 4}, {2, 4, 5}, {2, 3, 5}, 1, 2, 3, 4, 5);
  check({4}, {2, 4, 5}, {2, 5}, 1, 2, 1, 4, 5);
}

TEST(EinsumTest, AgreesWithSums) {
  const Tensor x = sample({2, 3}, 0), y = sample({3, 4}, 1), s = sample({3, 3}, 2);
  expect_close(einsum("ij,jk->ik", {x, y}), matmul(x, y).to_vector<double>(), 1e-13);
  expect_close(einsum("ij,jk", {x, y}), matmul(x, y).to_vector<double>(), 1e-13);
  expect_close(einsum("ij,jk->ki", {x, y}), transpose(matmul(x, y)).to_vector<double>(), 1e-13);
  expect_close(einsum("ij->j", {x}), sum(x, {0}).to_vector<double>(), 1e-13);
  expect_close(einsum("ij->", {x}), sum(x).to_vector<double>(), 1e-13);
  expect_close(einsum("ij->ji", {x}), transpose(x).to_vector<double>(), 0);
  const Doubles v = s.to_vector<double>();
  expect_close(einsum("ii->i", {s}), {v[0], v[4], v[8]}, 0);
  expect_close(einsum("ii", {s}), {v[0] + v[4] + v[8]}, 1e-13);
  expect_close(einsum("i,j->ij", {x[0], y[0]}), outer(x[0], y[0]).to_vector<double>(), 0);
  const Tensor b1 = sample({2, 3, 4}, 3), b2 = sample({2, 4, 5}, 4);
  expect_close(einsum("bij,bjk->bik", {b1, b2}), matmul(b1, b2).to_vector<double>(), 1e-13);
  expect_close(einsum("ij,jk,k->i", {x, y, y[1]}), matmul(matmul(x, y), y[1]).to_vector<double>(), 1e-13);
}

TEST(EinsumTest, Errors) {
  const Tensor x = zeros({2, 3});
  EXPECT_EQ(error_of([&] { einsum("ij,jk->ik", {x}); }),
            "frontend/ops/ops_test.cpp:<line>: error: einsum: \"ij,jk->ik\" names 2 operands, but 1 are given "
            "[tensor.einsum]");
  EXPECT_EQ(error_of([&] { einsum("ijk->i", {x}); }),
            "frontend/ops/ops_test.cpp:<line>: error: einsum: \"ijk->i\" names 3 axes of operand 0, which is f32[2, 3] "
            "[tensor.einsum]");
  EXPECT_EQ(error_of([&] { einsum("ij,ij->ik", {x, x}); }),
            "frontend/ops/ops_test.cpp:<line>: error: einsum: \"ij,ij->ik\" 'k' on the right does not occur on the left "
            "[tensor.einsum]");
  EXPECT_EQ(error_of([&] { einsum("ij,jk->ik", {x, x}); }),
            "frontend/ops/ops_test.cpp:<line>: error: einsum: \"ij,jk->ik\" gives 'j' the sizes 3 and 2 [tensor.einsum]");
  EXPECT_EQ(error_of([&] { einsum("i1->i", {x}); }),
            "frontend/ops/ops_test.cpp:<line>: error: einsum: \"i1->i\" has '1' where a letter names an axis "
            "[tensor.einsum]");
}

// x [n, c, h, w], w [o, c/g, kh, kw], straight from the definition.
Doubles convolution(const Tensor& x, const Tensor& w, int stride, int pad, int dilation, int groups) {
  const Shape sx = x.shape(), sw = w.shape();
  const Doubles vx = x.to_vector<double>(), vw = w.to_vector<double>();
  const auto extent = [&](std::int64_t size, std::int64_t kernel) {
    return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  };
  const std::int64_t h = extent(sx[2], sw[2]), width = extent(sx[3], sw[3]), per_group = sw[0] / groups;
  Doubles out;
  for (std::int64_t n = 0; n < sx[0]; ++n) {
    for (std::int64_t o = 0; o < sw[0]; ++o) {
      for (std::int64_t i = 0; i < h; ++i) {
        for (std::int64_t j = 0; j < width; ++j) {
          double total = 0;
          for (std::int64_t c = 0; c < sw[1]; ++c) {
            for (std::int64_t a = 0; a < sw[2]; ++a) {
              for (std::int64_t b = 0; b < sw[3]; ++b) {
                const std::int64_t y = i * stride - pad + a * dilation, z = j * stride - pad + b * dilation;
                if (y < 0 || z < 0 || y >= sx[2] || z >= sx[3]) continue;
                const std::int64_t channel = (o / per_group) * sw[1] + c;
                total += vx[static_cast<std::size_t>(((n * sx[1] + channel) * sx[2] + y) * sx[3] + z)] *
                         vw[static_cast<std::size_t>(((o * sw[1] + c) * sw[2] + a) * sw[3] + b)];
              }
            }
          }
          out.push_back(total);
        }
      }
    }
  }
  return out;
}

TEST(WindowTest, Conv2dIsItsDefinition) {
  const Tensor x = sample({2, 4, 5, 6}, 0);
  const Tensor w = sample({6, 4, 3, 2}, 1), grouped = sample({6, 2, 3, 2}, 2);
  expect_close(conv2d(x, w), convolution(x, w, 1, 0, 1, 1), 1e-12);
  expect_close(conv2d(x, w, {.stride = 2, .padding = 1}), convolution(x, w, 2, 1, 1, 1), 1e-12);
  expect_close(conv2d(x, w, {.padding = 2, .dilation = 2}), convolution(x, w, 1, 2, 2, 1), 1e-12);
  expect_close(conv2d(x, grouped, {.groups = 2}), convolution(x, grouped, 1, 0, 1, 2), 1e-12);
  EXPECT_EQ(conv2d(x, w, {.padding = Padding::same()}).shape(), (Shape{2, 6, 5, 6}));
  const Tensor line = sample({1, 2, 7}, 3), taps = sample({3, 2, 3}, 4);
  expect_close(conv1d(line, taps, {.stride = 2, .padding = 1}),
               conv2d(unsqueeze(line, {2}), unsqueeze(taps, {2}), {.stride = {1, 2}, .padding = Pair{0, 1}}).to_vector<double>(),
               1e-13);
}

TEST(WindowTest, Pools) {
  const Tensor x = arange(16).to(DType::f32).reshape({1, 1, 4, 4});
  expect_close(max_pool2d(x, 2), {5, 7, 13, 15});
  expect_close(avg_pool2d(x, 2), {2.5, 4.5, 10.5, 12.5});
  expect_close(max_pool2d(x, 3, {.stride = 1}), {10, 11, 14, 15});
  // Padding never wins a maximum, and counts in a mean unless it should not.
  expect_close(max_pool2d(x - 100.0, 2, {.padding = 1}), {-100, -98, -97, -92, -90, -89, -88, -86, -85});
  expect_close(avg_pool2d(x, 2, {.padding = 1})[{0, 0, 0}], {0, 0.75, 0.75});
  expect_close(avg_pool2d(x, 2, {.padding = 1, .count_include_pad = false})[{0, 0, 0}], {0, 1.5, 3});
}

TEST(PrintTest, LooksLikeNumPy) {
  EXPECT_EQ(tensor(1.5).text(), "1.5");
  EXPECT_EQ(tensor(2.0).text(), "2.");
  EXPECT_EQ(tensor({1.0, 2.5, -3.0}).text(), "[ 1.   2.5 -3. ]");
  EXPECT_EQ(tensor({{1.0, 2.0}, {3.0, 4.0}}).text(), "[[1. 2.]\n [3. 4.]]");
  EXPECT_EQ(tensor({1, 20, 300}).text(), "tensor([  1  20 300], i64)");
  EXPECT_EQ(tensor({{true, false}, {false, true}}).text(), "tensor([[ true false]\n        [false  true]], bool)");
  EXPECT_EQ(zeros({2, 0}).text(), "[[]\n []]");
  EXPECT_EQ(tensor({0.1, 1.0 / 3.0}).text(), "[0.1    0.3333]");
  EXPECT_EQ(tensor({1e-7, 1.0}).text(), "[1e-07 1e+00]");
  EXPECT_EQ(tensor({0.0, HUGE_VAL, -HUGE_VAL, std::nan("")}).text(), "[  0.  inf -inf  nan]");
  EXPECT_EQ(arange(8).reshape({2, 2, 2}).to(DType::f32).text(), "[[[0. 1.]\n  [2. 3.]]\n\n [[4. 5.]\n  [6. 7.]]]");
  EXPECT_EQ(arange(2000).text(), "tensor([   0    1    2 ... 1997 1998 1999], i64)");
}

TEST(RandomTest, SameKeySameBits) {
  const random::Key key = random::key(42);
  EXPECT_EQ(random::uniform(key, {8}).to_vector<float>(), random::uniform(key, {8}).to_vector<float>());
  EXPECT_NE(random::uniform(key, {8}).to_vector<float>(), random::uniform(random::key(43), {8}).to_vector<float>());
  // A known answer of Threefry-2x32-20 from its authors' test vectors: key 0, counter 0.
  EXPECT_EQ(random::bits(random::key(0), {1}).item<std::uint32_t>(), 0x6b200159u);
}

TEST(RandomTest, ChildrenAreUnrelated) {
  const random::Key key = random::key(7);
  const auto [a, b] = random::split<2>(key);
  const auto folded = random::fold_in(key, 3), again = random::fold_in(key, tensor(3)), other = random::fold_in(key, 4);
  EXPECT_EQ(folded.bits.to_vector<std::uint32_t>(), again.bits.to_vector<std::uint32_t>());
  const std::vector<std::vector<std::uint32_t>> all = {
      key.bits.to_vector<std::uint32_t>(), a.bits.to_vector<std::uint32_t>(), b.bits.to_vector<std::uint32_t>(),
      folded.bits.to_vector<std::uint32_t>(), other.bits.to_vector<std::uint32_t>()};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(all[i], all[j]);
  }
}

TEST(RandomTest, MomentsOfDistributions) {
  const random::Key key = random::key(1);
  constexpr double kCount = 4096, kFour = 4 / 64.0;  // four standard errors of a mean of unit variance
  const Doubles u = random::uniform(key, {4096}, -1, 3).to_vector<double>();
  EXPECT_GE(*std::ranges::min_element(u), -1);
  EXPECT_LT(*std::ranges::max_element(u), 3);
  EXPECT_NEAR(std::accumulate(u.begin(), u.end(), 0.0) / kCount, 1, kFour * 4 / std::sqrt(12.0));
  const Tensor n = random::normal(key, {4096}, 5, 2);
  EXPECT_NEAR(mean(n).item(), 5, kFour * 2);
  EXPECT_NEAR(stddev(n).item(), 2, kFour * 2);
  const Tensor t = random::truncated_normal(key, {4096}, 0, 1, -1, 2);
  EXPECT_GE(min(t).item(), -1);
  EXPECT_LE(max(t).item(), 2);
  EXPECT_NEAR(mean(random::bernoulli(key, 0.3, {4096}).to(DType::f32)).item(), 0.3, kFour);
  const Tensor r = random::randint(key, -2, 3, {4096});
  EXPECT_EQ(min(r).item<int>(), -2);
  EXPECT_EQ(max(r).item<int>(), 2);
}

// Ranges whose last step rounds up to the end that they leave out.
TEST(RandomTest, RangesAreHalfOpen) {
  const random::Key key = random::key(5);
  for (const auto& [low, high] : {std::pair(1.0, 2.0), std::pair(-1.0, 0.0), std::pair(1000.0, 1000.001)}) {
    for (DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      const auto values = random::uniform(key, {1 << 16}, low, high, dtype).to_vector<double>();
      const double start = tensor(low, dtype).item(), largest = *std::ranges::max_element(values);
      EXPECT_GE(*std::ranges::min_element(values), start);
      // Where the type holds no number in the range but its start, that is the only one.
      EXPECT_TRUE(largest < high || largest == start) << dtype_name(dtype) << " " << low;
    }
  }
}

TEST(RandomTest, IntegersFitTheirType) {
  const random::Key key = random::key(5);
  EXPECT_EQ(random::randint(key, 255, 256, {}, DType::u8).item<int>(), 255);
  EXPECT_EQ(random::randint(key, -128, -127, {}, DType::i8).item<int>(), -128);
  const std::string expected =
      "frontend/ops/ops_test.cpp:<line>: error: random::randint: u8 does not hold every number in [0, 300) "
      "[random.range]\n  hint: draw in a wider type";
  EXPECT_EQ(error_of([&] { random::randint(key, 0, 300, {}, DType::u8); }), expected);
  EXPECT_NE(error_of([&] { random::randint(key, -1, 3, {}, DType::u64); }), "(no error)");
}

TEST(RandomTest, PermutationsHoldEachNumberOnce) {
  for (std::int64_t size : {0, 1, 2, 3, 5, 64, 100, 257}) {
    auto values = random::permutation(random::key(9), size).to_vector<std::int64_t>();
    if (size > 5) {
      EXPECT_FALSE(std::ranges::is_sorted(values));
    }
    std::ranges::sort(values);
    std::vector<std::int64_t> expected(static_cast<std::size_t>(size));
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(values, expected);
  }
}

TEST(OpErrorsTest, SayWhatIsWrong) {
  const Tensor x = zeros({2, 3});
  const std::string here = "frontend/ops/ops_test.cpp:<line>: error: ";
  EXPECT_EQ(error_of([&] { repeat(x, -1, 0); }),
            here + "repeat: -1 is not a number of times [tensor.count]");
  EXPECT_EQ(error_of([&] { split(x, 2, 1); }),
            here + "split: axis 1 of size 3 has no 2 equal parts [tensor.parts]");
  EXPECT_EQ(error_of([&] { concatenate({}); }),
            here + "concatenate: needs at least one tensor [tensor.parts]");
  EXPECT_EQ(error_of([&] { arange(0, 1, 0); }),
            here + "arange: no range from 0 to 1 in steps of 0 [tensor.range]");
  EXPECT_EQ(error_of([&] { zeros({2, -1}); }), here + "a tensor cannot have size -1 [tensor.shape]");
  EXPECT_EQ(error_of([&] { from_vector<float>({1, 2, 3}, {2, 2}); }),
            here + "f32[2, 2] needs 4 elements, got 3 [tensor.shape]");
  const Tensor image = zeros({1, 1, 4, 4});
  EXPECT_EQ(error_of([&] { conv2d(image, image, {.stride = 2, .padding = Padding::same()}); }),
            here + "conv2d: padding \"same\" needs stride 1 [tensor.window]");
  const random::Key key = random::key(0);
  EXPECT_EQ(error_of([&] { random::uniform(key, {2}, 0, 1, DType::i32); }),
            here + "random::uniform: i32 is not a floating type [random.dtype]\n  hint: draw whole numbers with "
                   "random::randint");
  EXPECT_EQ(error_of([&] { random::fold_in(key, 0.5); }),
            here + "random::fold_in: f32[] is not an integer scalar [random.data]");
  EXPECT_EQ(error_of([&] { random::randint(key, 3, 3, {2}); }),
            here + "random::randint: no i64 in [3, 3) [random.range]");
}

}  // namespace
}  // namespace hyperion

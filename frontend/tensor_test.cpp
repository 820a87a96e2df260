#include "frontend/tensor.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/indexing.hpp"
#include "frontend/ops/linalg.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/ops/sorting.hpp"
#include "frontend/promotion.hpp"
#include "frontend/testing.hpp"

namespace hyperion {
namespace {

using testing::error_of;
using Doubles = std::vector<double>;

TEST(TensorTest, RecordsAndEvaluatesOnRead) {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}});
  const Tensor y = x * 2.0 + tensor({10.0, 20.0});
  EXPECT_FALSE(y.is_evaluated());
  EXPECT_EQ(y.to_vector<double>(), (Doubles{12, 24, 16, 28}));
  EXPECT_TRUE(y.is_evaluated());
}

TEST(TensorTest, NumbersTakeTheTypeOfTheTensor) {
  EXPECT_EQ((tensor({1, 2}, DType::i8) + 1).dtype(), DType::i8);
  EXPECT_EQ((tensor({1.0}, DType::f16) * 2).dtype(), DType::f16);
  EXPECT_EQ((2.0 * tensor({1.0}, DType::f64)).dtype(), DType::f64);
  EXPECT_EQ((tensor({true}) & true).dtype(), DType::bool_);
}

TEST(TensorTest, PromotesByTheArrayApiTable) {
  EXPECT_EQ(promote_types(DType::i8, DType::u8), DType::i16);
  EXPECT_EQ(promote_types(DType::u32, DType::i16), DType::i64);
  EXPECT_EQ(promote_types(DType::u64, DType::i64), std::nullopt);
  EXPECT_EQ(promote_types(DType::f16, DType::bf16), DType::f32);
  EXPECT_EQ(promote_types(DType::f8e4m3, DType::f8e5m2), DType::f16);
  EXPECT_EQ(promote_types(DType::f32, DType::f64), DType::f64);
  EXPECT_EQ(promote_types(DType::i32, DType::f32), std::nullopt);
  EXPECT_EQ(promote_types(DType::bool_, DType::i8), std::nullopt);
  for (DType a : all_dtypes()) {
    for (DType b : all_dtypes()) EXPECT_EQ(promote_types(a, b), promote_types(b, a));
  }
}

TEST(TensorTest, BroadcastsAsNumPy) {
  const Tensor column = tensor({{1.0}, {2.0}, {3.0}}), row = tensor({10.0, 20.0});
  EXPECT_EQ((column + row).shape(), (Shape{3, 2}));
  EXPECT_EQ((column + row).to_vector<double>(), (Doubles{11, 21, 12, 22, 13, 23}));
  EXPECT_EQ((zeros({5, 1, 4}) + zeros({3, 1})).shape(), (Shape{5, 3, 4}));
  EXPECT_EQ((zeros({0, 3}) * ones({1, 3})).shape(), (Shape{0, 3}));
}

TEST(TensorTest, ErrorsNameTheUsersLine) {
  const Tensor a = zeros({2, 3}), b = zeros({4});
  EXPECT_EQ(error_of([&] { a + b; }),
            "frontend/tensor_test.cpp:<line>: error: add: shapes do not broadcast: f32[2, 3] and f32[4]; axis -1 has size "
            "3 and 4 [tensor.broadcast]\n  hint: sizes must be equal or 1, counted from the last axis");
  const Tensor i = zeros({2}, DType::i32), f = zeros({2});
  EXPECT_EQ(error_of([&] { i * f; }),
            "frontend/tensor_test.cpp:<line>: error: mul: operands have types i32 and f32, which do not mix "
            "[tensor.promotion]\n  hint: convert one of them with to(DType::...)");
  EXPECT_EQ(error_of([&] { i * 0.5; }),
            "frontend/tensor_test.cpp:<line>: error: mul: a real number does not take the type i32 of the tensor "
            "[tensor.promotion]\n  hint: convert the tensor with to(DType::...)");
  EXPECT_EQ(error_of([&] { zeros({2}, DType::i8) + 1000; }),
            "frontend/tensor_test.cpp:<line>: error: add: 1000 is outside the range of i8 [tensor.promotion]\n"
            "  hint: convert the tensor to a wider type with to(DType::...)");
  EXPECT_EQ(error_of([&] { matmul(a, zeros({4, 5})); }),
            "frontend/tensor_test.cpp:<line>: error: matmul: contracted dimensions differ: 3 and 4, in f32[2, 3] and "
            "f32[4, 5] [dot.c2]");
  EXPECT_EQ(error_of([&] { exp(i); }),
            "frontend/tensor_test.cpp:<line>: error: exp: element type i32 is not a floating-point type "
            "[exp.c2]\n  hint: hyperion-opt explain exp.c2");
  EXPECT_EQ(error_of([&] { Tensor() + 1.0; }),
            "frontend/tensor_test.cpp:<line>: error: add: an operand is an empty tensor [tensor.empty]\n"
            "  hint: a default-constructed Tensor holds nothing; assign to it first");
  EXPECT_EQ(error_of([&] { a.item(); }),
            "frontend/tensor_test.cpp:<line>: error: item: needs exactly one element, got f32[2, 3] [tensor.item]\n"
            "  hint: read many elements with to_vector<T>()");
  EXPECT_EQ(error_of([&] { a.reshape({4, -1}); }),
            "frontend/tensor_test.cpp:<line>: error: reshape: 6 elements of f32[2, 3] do not fit shape [4, -1] "
            "[tensor.reshape]");
  EXPECT_EQ(error_of([&] { sum(a, {2}); }),
            "frontend/tensor_test.cpp:<line>: error: sum: axis 2 is outside a tensor of rank 2 [tensor.axis]");
}

TEST(TensorTest, SliceErrors) {
  const Tensor x = zeros({4, 5});
  EXPECT_EQ(error_of([&] { x[{Slice(0, 9), All}]; }),
            "frontend/tensor_test.cpp:<line>: error: slice 0:9:1 is outside axis 0, which has size 4 [tensor.index]");
  EXPECT_EQ(error_of([&] { x[{All, 5}]; }),
            "frontend/tensor_test.cpp:<line>: error: index 5 is outside axis 1, which has size 5 [tensor.index]");
  EXPECT_EQ(error_of([&] { x[{0, 0, 0}]; }),
            "frontend/tensor_test.cpp:<line>: error: 3 indices for f32[4, 5] [tensor.index]");
  EXPECT_EQ(error_of([&] { x[{Slice({}, {}, 0)}]; }),
            "frontend/tensor_test.cpp:<line>: error: slice ::0 has step 0 [tensor.index]");
  EXPECT_EQ(error_of([&] { x[{x > 0.0}]; }),
            "frontend/tensor_test.cpp:<line>: error: take: indices are bool[4, 5], not integers [tensor.index]\n"
            "  hint: a mask is not an index: compute with where() instead");
}

TEST(TensorTest, IndexesLikeNumPy) {
  const Tensor x = arange(24).reshape({2, 3, 4});
  using Ints = std::vector<std::int64_t>;
  EXPECT_EQ((x[1].to_vector<std::int64_t>()), (Ints{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}));
  EXPECT_EQ((x[{1, -1, 2}].item<std::int64_t>()), 22);
  EXPECT_EQ((x[{0, Slice(0, 3, 2), 3}].to_vector<std::int64_t>()), (Ints{3, 11}));
  EXPECT_EQ((x[{Ellipsis, Slice({}, {}, -2)}].to_vector<std::int64_t>()),
            (Ints{3, 1, 7, 5, 11, 9, 15, 13, 19, 17, 23, 21}));
  EXPECT_EQ((x[{0, 0, Slice(3, 0, -1)}].to_vector<std::int64_t>()), (Ints{3, 2, 1}));
  EXPECT_EQ((x[{NewAxis, Ellipsis, NewAxis}].shape()), (Shape{1, 2, 3, 4, 1}));
  EXPECT_EQ((x[{All, tensor({2, 0})}].shape()), (Shape{2, 2, 4}));
  EXPECT_EQ((x[{1, tensor({2, 0}), Slice(-2, {})}].to_vector<std::int64_t>()), (Ints{22, 23, 14, 15}));
  EXPECT_EQ((x[{Slice(1, 1)}].shape()), (Shape{0, 3, 4}));
}

TEST(TensorTest, GathersAndScatters) {
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  EXPECT_EQ(take_along_axis(x, tensor({{2}, {0}}), 1).to_vector<double>(), (Doubles{3, 4}));
  EXPECT_EQ(take_along_axis(x, tensor({{1, 0, 1}}), 0).to_vector<double>(), (Doubles{4, 2, 6}));
  EXPECT_EQ(scatter(zeros({4}), tensor({1, 1, 3}), tensor({1.0, 2.0, 5.0}), "add").to_vector<double>(),
            (Doubles{0, 3, 0, 5}));
  EXPECT_EQ(scatter_along_axis(zeros({2, 3}), tensor({{2}, {1}}), 7.0, "set", 1).to_vector<double>(),
            (Doubles{0, 0, 7, 0, 7, 0}));
  EXPECT_EQ(dynamic_slice(x, {tensor(1), tensor(5)}, {1, 2}).to_vector<double>(), (Doubles{5, 6}));
}

TEST(TensorTest, Sorts) {
  using Ints = std::vector<std::int64_t>;
  const Tensor x = tensor({{3.0, 1.0, 2.0, 1.0}, {-1.0, 5.0, 0.0, -2.0}});
  EXPECT_EQ(sort(x).to_vector<double>(), (Doubles{1, 1, 2, 3, -2, -1, 0, 5}));
  EXPECT_EQ(sort(x, 0, true).to_vector<double>(), (Doubles{3, 5, 2, 1, -1, 1, 0, -2}));
  EXPECT_EQ(argsort(x).to_vector<std::int64_t>(), (Ints{1, 3, 2, 0, 3, 0, 2, 1}));
  EXPECT_EQ(argsort(x, -1, true).to_vector<std::int64_t>(), (Ints{0, 2, 1, 3, 1, 2, 0, 3}));
  const auto [values, indices] = top_k(x, 2);
  EXPECT_EQ(values.to_vector<double>(), (Doubles{3, 2, 5, 0}));
  EXPECT_EQ(indices.to_vector<std::int64_t>(), (Ints{0, 2, 1, 2}));
  EXPECT_EQ(top_k(x, 1, 0, false).values.to_vector<double>(), (Doubles{-1, 1, 0, -2}));
  EXPECT_EQ(sort(zeros({2, 0})).shape(), (Shape{2, 0}));
  EXPECT_EQ(top_k(zeros({0}), 0).values.shape(), (Shape{0}));
  // Longer than a block of threads sorts by itself.
  const Tensor shuffled = (arange(10000) * 7919) % 10007;
  const Ints sorted = sort(shuffled).to_vector<std::int64_t>();
  EXPECT_TRUE(std::ranges::is_sorted(sorted));
  EXPECT_EQ(take(shuffled, argsort(shuffled)).to_vector<std::int64_t>(), sorted);
}

TEST(TensorTest, Arranges) {
  const Tensor x = arange(6).reshape({2, 3});
  using Ints = std::vector<std::int64_t>;
  EXPECT_EQ(x.transpose().to_vector<std::int64_t>(), (Ints{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(concatenate({x, x}, 1).shape(), (Shape{2, 6}));
  EXPECT_EQ(stack({x, x}, -1).shape(), (Shape{2, 3, 2}));
  EXPECT_EQ(split(x, 3, 1)[2].to_vector<std::int64_t>(), (Ints{2, 5}));
  EXPECT_EQ(tile(x, {2, 1}).to_vector<std::int64_t>(), (Ints{0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(tile(x, {2}).to_vector<std::int64_t>(), (Ints{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}));
  EXPECT_EQ(repeat(x, 2, 1).to_vector<std::int64_t>(), (Ints{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}));
  EXPECT_EQ(flip(x, {1}).to_vector<std::int64_t>(), (Ints{2, 1, 0, 5, 4, 3}));
  EXPECT_EQ(squeeze(unsqueeze(x, {0, -1})).shape(), (Shape{2, 3}));
  EXPECT_EQ(flatten(zeros({2, 3, 4}), 1).shape(), (Shape{2, 12}));
  EXPECT_EQ(broadcast_to(tensor({1, 2}), {2, 2}).to_vector<std::int64_t>(), (Ints{1, 2, 1, 2}));
}

TEST(TensorTest, Reduces) {
  const Tensor x = tensor({{1.0, 5.0, 3.0}, {4.0, 2.0, 6.0}});
  EXPECT_EQ(sum(x).item(), 21);
  EXPECT_EQ(sum(x, {0}).to_vector<double>(), (Doubles{5, 7, 9}));
  EXPECT_EQ(max(x, {-1}, true).shape(), (Shape{2, 1}));
  EXPECT_EQ(mean(x, {1}).to_vector<double>(), (Doubles{3, 4}));
  EXPECT_EQ(var(x, {1}).to_vector<double>(), (Doubles{8.0f / 3.0f, 8.0f / 3.0f}));
  EXPECT_EQ(var(x, {1}, 1).to_vector<double>(), (Doubles{4, 4}));
  EXPECT_EQ(argmax(x).to_vector<std::int64_t>(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(argmin(x, 0).to_vector<std::int64_t>(), (std::vector<std::int64_t>{0, 1, 0}));
  EXPECT_EQ(cumsum(x, 1).to_vector<double>(), (Doubles{1, 6, 9, 4, 6, 12}));
  EXPECT_EQ(any(x > 5.0).item<bool>(), true);
  EXPECT_EQ(all(x > 5.0).item<bool>(), false);
}

TEST(TensorTest, Creates) {
  EXPECT_EQ(arange(3).dtype(), DType::i64);
  EXPECT_EQ(arange(1.0, 2.0, 0.25).to_vector<double>(), (Doubles{1, 1.25, 1.5, 1.75}));
  EXPECT_EQ(linspace(0, 1, 5).to_vector<double>(), (Doubles{0, 0.25, 0.5, 0.75, 1}));
  EXPECT_EQ(eye(2).to_vector<double>(), (Doubles{1, 0, 0, 1}));
  EXPECT_EQ(tril(ones({2, 3})).to_vector<double>(), (Doubles{1, 0, 0, 1, 1, 0}));
  EXPECT_EQ(triu(ones({2, 3}), 1).to_vector<double>(), (Doubles{0, 1, 1, 0, 0, 1}));
  EXPECT_EQ(one_hot(tensor({2, 0}), 3).to_vector<double>(), (Doubles{0, 0, 1, 1, 0, 0}));
  EXPECT_EQ(from_vector<double>({1, 2}, {2}).dtype(), DType::f64);
}

TEST(TensorTest, DeepGraphsNeedNoStack) {
  {
    Tensor unread = tensor(0.0);
    for (int k = 0; k < 30000; ++k) unread = unread + 1.0;
  }  // destroying the chain
  Tensor x = tensor(0.0);
  for (int k = 0; k < 3000; ++k) x = x + 1.0;
  EXPECT_EQ(x.item(), 3000);
}

TEST(TensorTest, UnevaluatedGraphsAreBounded) {
  const std::size_t limit = frontend::node_limit();
  frontend::set_node_limit(100);
  Tensor x = tensor(0.0), other = tensor(1.0);
  for (int k = 0; k < 500; ++k) {
    x = x + 1.0;
    other = other * 1.0;
    EXPECT_LE(frontend::unevaluated_node_count(), 101u);
  }
  EXPECT_EQ(x.item(), 500);
  EXPECT_EQ(other.item(), 1);
  frontend::set_node_limit(limit);
}

TEST(TensorTest, LoopsCompileOnce) {
  Tensor x = ones({4}), average = zeros({4});
  std::uint64_t loads = 0;
  for (int step = 0; step < 6; ++step) {
    average = average * 0.9 + x * 0.1;
    x = x - average * 0.5;
    x.eval();
    // What depends on the same work was computed along, so the next step starts from values.
    EXPECT_TRUE(average.is_evaluated());
    if (step == 1) loads = frontend::graph_statistics().loads;
  }
  EXPECT_EQ(frontend::graph_statistics().loads, loads);
}

}  // namespace
}  // namespace hyperion

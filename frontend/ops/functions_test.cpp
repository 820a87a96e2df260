// Every function of this room once, by value, with <cmath> or counting on one's fingers as the reference: that each name
// records the op it promises. How the ops compute is tested below ir and codegen.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "frontend/hyperion.hpp"
#include "frontend/testing.hpp"

namespace hyperion {
namespace {

using testing::Doubles;
using testing::error_of;
using testing::expect_close;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor f64(const Doubles& values) {
  return from_vector<double>(values, {static_cast<std::int64_t>(values.size())});
}

TEST(FunctionTest, OfOneOperand) {
  struct Row {
    const char* name;
    Tensor (*function)(Operand);
    std::function<double(double)> reference;
    Doubles points;
  };
  const Doubles reals{-2.75, -0.5, -0.25, 0.0, 0.5, 1.5, 2.5}, inside{-0.875, -0.25, 0.0, 0.5}, above{1.0, 1.25, 3.5};
  const Row rows[] = {
      {"abs", abs, [](double x) { return std::fabs(x); }, reals},
      {"sign", sign, [](double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0; }, reals},
      {"floor", floor, [](double x) { return std::floor(x); }, reals},
      {"ceil", ceil, [](double x) { return std::ceil(x); }, reals},
      {"round", round, [](double x) { return std::nearbyint(x); }, reals},
      {"trunc", trunc, [](double x) { return std::trunc(x); }, reals},
      {"sqrt", sqrt, [](double x) { return std::sqrt(x); }, above},
      {"rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, above},
      {"exp", exp, [](double x) { return std::exp(x); }, reals},
      {"expm1", expm1, [](double x) { return std::expm1(x); }, reals},
      {"log", log, [](double x) { return std::log(x); }, above},
      {"log1p", log1p, [](double x) { return std::log1p(x); }, inside},
      {"sin", sin, [](double x) { return std::sin(x); }, reals},
      {"cos", cos, [](double x) { return std::cos(x); }, reals},
      {"tan", tan, [](double x) { return std::tan(x); }, reals},
      {"asin", asin, [](double x) { return std::asin(x); }, inside},
      {"acos", acos, [](double x) { return std::acos(x); }, inside},
      {"atan", atan, [](double x) { return std::atan(x); }, reals},
      {"sinh", sinh, [](double x) { return std::sinh(x); }, reals},
      {"cosh", cosh, [](double x) { return std::cosh(x); }, reals},
      {"tanh", tanh, [](double x) { return std::tanh(x); }, reals},
      {"asinh", asinh, [](double x) { return std::asinh(x); }, reals},
      {"acosh", acosh, [](double x) { return std::acosh(x); }, above},
      {"atanh", atanh, [](double x) { return std::atanh(x); }, inside},
      {"erf", erf, [](double x) { return std::erf(x); }, reals},
      {"lgamma", lgamma, [](double x) { return std::lgamma(x); }, above},
      {"square", square, [](double x) { return x * x; }, reals},
      {"reciprocal", reciprocal, [](double x) { return 1 / x; }, above},
      {"stop_gradient", stop_gradient, [](double x) { return x; }, reals},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Doubles expected;
    for (double point : row.points) expected.push_back(row.reference(point));
    expect_close(row.function(f64(row.points)), expected, 1e-13);
  }
  expect_close(erf(erf_inv(f64({-0.875, 0.25}))), {-0.875, 0.25}, 1e-13);
  expect_close(digamma(f64({1, 2})), {-0.57721566490153286, 1 - 0.57721566490153286}, 1e-13);
  const Tensor odd = f64({1, kInfinity, std::nan("")});
  EXPECT_EQ(is_finite(odd).to_vector<double>(), (Doubles{1, 0, 0}));
  EXPECT_EQ(is_nan(odd).to_vector<double>(), (Doubles{0, 0, 1}));
  EXPECT_EQ(grad([](const Tensor& x) { return x * stop_gradient(x); })(tensor(3.0)).item(), 3);
}

TEST(FunctionTest, OfSeveralOperands) {
  const Tensor x = f64({3, -4}), y = f64({-1, 5});
  expect_close(pow(f64({2, 3}), y), {0.5, 243});
  EXPECT_EQ(maximum(x, y).to_vector<double>(), (Doubles{3, 5}));
  EXPECT_EQ(minimum(x, y).to_vector<double>(), (Doubles{-1, -4}));
  EXPECT_EQ(clip(x, -2.0, 2.0).to_vector<double>(), (Doubles{2, -2}));
  EXPECT_EQ(fma(x, y, 1.0).to_vector<double>(), (Doubles{-2, -19}));
  expect_close(atan2(x, y), {std::atan2(3, -1), std::atan2(-4, 5)}, 1e-13);
  EXPECT_EQ(nextafter(x, y).to_vector<double>(), (Doubles{std::nextafter(3, -1), std::nextafter(-4, 5)}));
  EXPECT_EQ(where(x > 0.0, x, y).to_vector<double>(), (Doubles{3, 5}));
  const Tensor p = tensor({true, true, false, false}), q = tensor({true, false, true, false});
  EXPECT_EQ(logical_and(p, q).to_vector<double>(), (Doubles{1, 0, 0, 0}));
  EXPECT_EQ(logical_or(p, q).to_vector<double>(), (Doubles{1, 1, 1, 0}));
  EXPECT_EQ(logical_xor(p, q).to_vector<double>(), (Doubles{0, 1, 1, 0}));
  EXPECT_EQ(logical_not(p).to_vector<double>(), (Doubles{0, 0, 1, 1}));
  EXPECT_EQ(bitcast(tensor(1.0), DType::u32).item<std::uint32_t>(), 0x3f800000u);
  EXPECT_EQ(cast(tensor(2.75), DType::i32).item<int>(), 2);
}

TEST(FunctionTest, OfArrangement) {
  const Tensor x = arange(6, DType::f32).reshape({1, 2, 3});
  EXPECT_EQ(swap_axes(x, 0, -1).shape(), (Shape{3, 2, 1}));
  EXPECT_EQ(swap_axes(x, 1, 2).to_vector<double>(), (Doubles{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(move_axis(x, 2, 0).shape(), (Shape{3, 1, 2}));
  EXPECT_EQ(move_axis(x, 2, 0).to_vector<double>(), (Doubles{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(pad(tensor({1.0, 2.0, 3.0}), {1}, {-1}, 9).to_vector<double>(), (Doubles{9, 1, 2}));
  const std::vector<Tensor> parts = split_sizes(x, {1, 2}, 2);
  EXPECT_EQ(parts[0].to_vector<double>(), (Doubles{0, 3}));
  EXPECT_EQ(parts[1].to_vector<double>(), (Doubles{1, 2, 4, 5}));
  const std::vector<Tensor> together = broadcast_together({tensor({1.0, 2.0}), tensor({{3.0}, {4.0}})});
  EXPECT_EQ(together[0].to_vector<double>(), (Doubles{1, 2, 1, 2}));
  EXPECT_EQ(together[1].to_vector<double>(), (Doubles{3, 3, 4, 4}));
  EXPECT_EQ(sliding_window(tensor({1.0, 2.0, 3.0, 4.0}), {0}, {2}, {2}).to_vector<double>(), (Doubles{1, 2, 3, 4}));
  EXPECT_EQ(sliding_window(tensor({1.0, 2.0, 3.0}), {0}, {2}).to_vector<double>(), (Doubles{1, 2, 2, 3}));
}

TEST(FunctionTest, OfPositions) {
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  EXPECT_EQ(take(x, tensor({2, 0}), 1).to_vector<double>(), (Doubles{3, 1, 6, 4}));
  EXPECT_EQ(take_along_axis(x, tensor({{1}, {0}}), 1).to_vector<double>(), (Doubles{2, 4}));
  EXPECT_EQ(dynamic_slice(x, {tensor(1), tensor(1)}, {1, 2}).to_vector<double>(), (Doubles{5, 6}));
  EXPECT_EQ(dynamic_update_slice(x, tensor({{7.0, 8.0}}), {tensor(0), tensor(1)}).to_vector<double>(),
            (Doubles{1, 7, 8, 4, 5, 6}));
  EXPECT_EQ(scatter(x, tensor({1}), tensor({{1.0, 1.0, 1.0}}), "add").to_vector<double>(), (Doubles{1, 2, 3, 5, 6, 7}));
}

TEST(FunctionTest, OfManyElements) {
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 0.5, 6.0}});
  EXPECT_EQ(prod(x, {1}).to_vector<double>(), (Doubles{6, 12}));
  EXPECT_EQ(cumprod(x, 1).to_vector<double>(), (Doubles{1, 2, 6, 4, 2, 12}));
  EXPECT_EQ(cummax(x, 1).to_vector<double>(), (Doubles{1, 2, 3, 4, 4, 6}));
  EXPECT_EQ(cummin(x, 1, true).to_vector<double>(), (Doubles{1, 2, 3, 0.5, 0.5, 6}));
  EXPECT_EQ(norm(tensor({3.0, 4.0})).item(), 5);
  expect_close(logsumexp(tensor({1000.0, 1000.0})), {1000 + std::log(2)});
  EXPECT_EQ(dot(tensor({1.0, 2.0}), tensor({3.0, 4.0})).item(), 11);
  EXPECT_EQ(outer(tensor({1.0, 2.0}), tensor({3.0, 4.0})).to_vector<double>(), (Doubles{3, 4, 6, 8}));
  EXPECT_EQ(tensordot(x, x, {0, 1}, {0, 1}).item(), 1 + 4 + 9 + 16 + 0.25 + 36);
  EXPECT_EQ(tensordot(x, tensor({1.0, 10.0, 100.0}), {1}, {0}).to_vector<double>(), (Doubles{321, 609}));
}

TEST(FunctionTest, OfDataAndLayers) {
  data::HostArray array = data::HostArray::zeros(DType::i16, {2});
  array.as<std::int16_t>()[1] = 7;
  EXPECT_EQ(from_host(array).type().text(), "i16[2]");
  EXPECT_EQ(from_host(array).to_vector<double>(), (Doubles{0, 7}));
  EXPECT_EQ(ones_like(from_host(array)).to_vector<double>(), (Doubles{1, 1}));
  EXPECT_EQ(nn::accuracy(tensor({{1.0, 2.0}, {3.0, 0.0}}), tensor({1, 1})).item(), 0.5);
  const Tensor x = f64({-1, 0.5});
  expect_close(nn::Gelu{}(x), {-0.5 * std::erfc(std::sqrt(0.5)), 0.25 * std::erfc(-0.5 * std::sqrt(0.5))}, 1e-13);
  expect_close(nn::Silu{}(x), {-1 / (1 + std::exp(1)), 0.5 / (1 + std::exp(-0.5))}, 1e-13);
  expect_close(nn::Sigmoid{}(x), {1 / (1 + std::exp(1)), 1 / (1 + std::exp(-0.5))}, 1e-13);
  expect_close(nn::Tanh{}(x), {std::tanh(-1), std::tanh(0.5)}, 1e-13);
  EXPECT_EQ(nn::Relu{}(x).to_vector<double>(), (Doubles{0, 0.5}));
  EXPECT_EQ(nn::Identity{}(x).to_vector<double>(), (Doubles{-1, 0.5}));
  nn::Conv1d conv = nn::Conv1d::create(random::key(1), 1, 1, 2);
  conv.weight = tensor({{{1.0, 10.0}}});
  conv.bias = tensor({0.5});
  EXPECT_EQ(conv(tensor({{{1.0, 2.0, 3.0}}})).to_vector<double>(), (Doubles{21.5, 32.5}));
  const Tensor image = arange(4, DType::f32).reshape({1, 1, 2, 2});
  EXPECT_EQ(nn::AvgPool2d{}(image).item(), 1.5);
  EXPECT_EQ(nn::MaxPool2d{}(image).item(), 3);
  auto [norm1d, state] = nn::BatchNorm1d::create(1);
  expect_close(norm1d(tensor({{-1.0}, {1.0}}), state, true).first, {-1, 1}, 1e-4);
  EXPECT_EQ(nn::Flatten{}(image).shape(), (Shape{1, 4}));
}

TEST(FunctionTest, ComplexNumbersAreHeldButNotComputed) {
  const std::vector<std::byte> bytes(16);
  const Tensor z = from_bytes(DType::c64, {2}, bytes);
  EXPECT_EQ(z.type().text(), "c64[2]");
  EXPECT_EQ(z.bytes().size(), 16u);
  EXPECT_EQ(error_of([&] { z + z; }),
            "frontend/ops/functions_test.cpp:<line>: error: add: element type c64 is not a number [add.c2]\n"
            "  hint: hyperion-opt explain add.c2");
  EXPECT_EQ(error_of([&] { z.to_vector<double>(); }),
            "frontend/ops/functions_test.cpp:<line>: error: elements of c64[2] cannot be read as one number each "
            "[tensor.complex]\n  hint: read them with bytes()");
}

}  // namespace
}  // namespace hyperion

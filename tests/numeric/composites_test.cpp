// What composites mean, against plain loops in f64, and at the values where the obvious formula
// fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>

#include "tests/support/numeric.hpp"

namespace hyperion::testing_support {
namespace {

using ir::Attributes;
using ir::Dims;
using ir::Integers;
using Row = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();

LiteralPtr floats(DType dtype, const Dims& dims, const Row& values) {
  return literal_of(Type(dtype, dims), values);
}
Dim length(const Row& row) { return Dim(std::ssize(row)); }

std::vector<Row> results_of(std::string_view op, std::vector<LiteralPtr> operands,
                            Attributes attributes = {}) {
  const OpSample sample{&ir::op(op), std::move(operands), std::move(attributes), {}, {}};
  std::vector<Row> results;
  for (const LiteralPtr& result : evaluate(sample)) results.push_back(numbers(result));
  return results;
}

Row result_of(std::string_view op, std::vector<LiteralPtr> operands, Attributes attributes = {}) {
  return results_of(op, std::move(operands), std::move(attributes))[0];
}

void expect_near(const Row& actual, const Row& expected, double tolerance = 1e-13) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t k = 0; k < actual.size(); ++k) {
    if (std::isnan(expected[k])) {
      EXPECT_TRUE(std::isnan(actual[k])) << k;
    } else if (std::isinf(expected[k])) {
      EXPECT_EQ(actual[k], expected[k]) << k;
    } else {
      EXPECT_NEAR(actual[k], expected[k], tolerance * std::max(1.0, std::abs(expected[k]))) << k;
    }
  }
}

Row random_row(std::int64_t count, std::uint64_t seed, double low = -3, double high = 3) {
  return numbers(random_literal(Type(DType::f64, {count}), Values::ordinary, seed, low, high));
}

double sum(const Row& row) { return std::accumulate(row.begin(), row.end(), 0.0); }
double mean(const Row& row) { return sum(row) / static_cast<double>(row.size()); }
double variance(const Row& row) {
  double squares = 0;
  for (double x : row) squares += (x - mean(row)) * (x - mean(row));
  return squares / static_cast<double>(row.size());
}
double log_sum_exp(const Row& row) {
  const double top = *std::ranges::max_element(row);
  double total = 0;
  for (double x : row) total += std::exp(x - top);
  return top + std::log(total);
}

// ---- activations
// ----------------------------------------------------------------------------------------------

void expect_map(std::string_view op, const Attributes& attributes,
                const std::function<double(double)>& f, Row extra = {}) {
  SCOPED_TRACE(op);
  Row x = random_row(200, 31, -8, 8), expected;
  x.insert(x.end(), extra.begin(), extra.end());
  for (double element : x) expected.push_back(f(element));
  expect_near(result_of(op, {floats(DType::f64, {length(x)}, x)}, attributes), expected);
}

TEST(Composite, ActivationsFollowTheirFormulas) {
  expect_map("relu", {}, [](double x) { return x > 0 || std::isnan(x) ? x : 0; },
             {0, -0.0, kInfinity, -kInfinity, kNan});
  expect_map("sigmoid", {}, [](double x) { return 1 / (1 + std::exp(-x)); },
             {-700, 700, kInfinity, -kInfinity, kNan});
  expect_map("silu", {}, [](double x) { return x / (1 + std::exp(-x)); }, {-700, 700, kInfinity});
  expect_map("leaky_relu", {{"slope", 0.25}}, [](double x) { return x > 0 ? x : 0.25 * x; },
             {-kInfinity, kNan});
  expect_map("elu", {{"alpha", 1.5}}, [](double x) { return x > 0 ? x : 1.5 * std::expm1(x); },
             {1e9, -kInfinity});
  expect_map("softplus", {{"beta", 2.0}},
             [](double x) { return 2 * x > 20 ? x : std::log1p(std::exp(2 * x)) / 2; },
             {11, 1e9, -1e9});
  expect_map("gelu", {},
             [](double x) { return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2)); });
  expect_map("gelu", {{"approximate", std::string("tanh")}}, [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  });
}

TEST(Composite, SigmoidIsAccurateWhereItIsTiny) {
  const double x = -87.5;
  const Row y = result_of("sigmoid", {floats(DType::f32, {1}, {x})});
  EXPECT_NEAR(y[0] / std::exp(x), 1, 1e-6);
}

TEST(Composite, ClampPrefersTheUpperBound) {
  const auto row = [](const Row& values) { return floats(DType::f32, {length(values)}, values); };
  expect_near(result_of("clamp",
                        {row({-5, 0, 5, kNan, 1}), row({-1, -1, -1, -1, 3}), row({2, 2, 2, 2, 2})}),
              {-1, 0, 2, kNan, 2});
}

// ---- softmax and losses
// ---------------------------------------------------------------------------------------

TEST(Composite, SoftmaxFamily) {
  const Row x = random_row(5 * 7, 32);
  Row softmax, log_softmax, lse;
  for (std::size_t r = 0; r < 5; ++r) {
    const Row row(x.begin() + static_cast<std::ptrdiff_t>(7 * r),
                  x.begin() + static_cast<std::ptrdiff_t>(7 * r + 7));
    lse.push_back(log_sum_exp(row));
    for (double element : row) {
      log_softmax.push_back(element - lse.back());
      softmax.push_back(std::exp(element - lse.back()));
    }
  }
  const LiteralPtr tensor = floats(DType::f64, {5, 7}, x);
  expect_near(result_of("softmax", {tensor}, {{"axis", std::int64_t{1}}}), softmax);
  expect_near(result_of("log_softmax", {tensor}, {{"axis", std::int64_t{1}}}), log_softmax);
  expect_near(result_of("logsumexp", {tensor}, {{"axes", Integers{1}}}), lse);
  expect_near(result_of("logsumexp", {tensor}, {{"axes", Integers{0, 1}}}), {log_sum_exp(x)});
}

TEST(Composite, SoftmaxOfHugeAndMissingLogits) {
  const Attributes last = {{"axis", std::int64_t{0}}};
  expect_near(result_of("softmax", {floats(DType::f32, {3}, {1e38, 1e38, -1e38})}, last),
              {0.5, 0.5, 0});
  expect_near(result_of("softmax", {floats(DType::f32, {3}, {0, -kInfinity, 0})}, last),
              {0.5, 0, 0.5});
  expect_near(result_of("softmax", {floats(DType::f32, {2}, {-kInfinity, -kInfinity})}, last),
              {kNan, kNan});
  expect_near(result_of("logsumexp", {floats(DType::f64, {2}, {-kInfinity, -kInfinity})},
                        {{"axes", Integers{0}}}),
              {-kInfinity});
  expect_near(
      result_of("logsumexp", {floats(DType::f64, {2}, {kInfinity, 1})}, {{"axes", Integers{0}}}),
      {kInfinity});
  expect_near(
      result_of("logsumexp", {floats(DType::f64, {2}, {1000, 1000})}, {{"axes", Integers{0}}}),
      {1000 + std::log(2.0)});
}

TEST(Composite, CrossEntropyAsInPyTorch) {
  const Row x = random_row(4 * 3, 33);
  const Row labels = {2, 0, -100, 1};
  const LiteralPtr logits = floats(DType::f64, {4, 3}, x),
                   classes = literal_of(Type(DType::i64, {4}), labels);
  for (double smoothing : {0.0, 0.1}) {
    Row losses;
    for (std::size_t r = 0; r < 4; ++r) {
      const Row row(x.begin() + static_cast<std::ptrdiff_t>(3 * r),
                    x.begin() + static_cast<std::ptrdiff_t>(3 * r + 3));
      if (labels[r] < 0) {
        losses.push_back(0);
        continue;
      }
      const double nll = log_sum_exp(row) - row[static_cast<std::size_t>(labels[r])];
      losses.push_back((1 - smoothing) * nll + smoothing * (log_sum_exp(row) - mean(row)));
    }
    const auto loss = [&](std::string reduction) {
      return result_of("cross_entropy", {logits, classes},
                       {{"label_smoothing", smoothing}, {"reduction", std::move(reduction)}});
    };
    expect_near(loss("none"), losses);
    expect_near(loss("sum"), {sum(losses)});
    expect_near(loss("mean"), {sum(losses) / 3});  // one label is ignored
  }
  const LiteralPtr ignored = literal_of(Type(DType::i32, {4}), {-1, -1, -1, -1});
  expect_near(result_of("cross_entropy", {logits, ignored}, {{"ignore_index", std::int64_t{-1}}}),
              {kNan});
  expect_near(result_of("cross_entropy", {floats(DType::f32, {2}, {1000, -1000}),
                                          literal_of(Type::scalar(DType::i32), {1})}),
              {2000});
}

// ---- statistics and normalisation
// -----------------------------------------------------------------------------

TEST(Composite, MeanAndVariance) {
  const Row x = random_row(30, 34);
  const LiteralPtr tensor = floats(DType::f64, {5, 6}, x);
  const Attributes both = {{"axes", Integers{0, 1}}};
  expect_near(result_of("mean", {tensor}, both), {mean(x)});
  expect_near(result_of("variance", {tensor}, both), {variance(x)});
  expect_near(result_of("variance", {tensor}, {{"axes", Integers{0, 1}}, {"correction", 1.0}}),
              {variance(x) * 30 / 29});
  expect_near(result_of("mean", {floats(DType::f32, {0, 2}, {})}, {{"axes", Integers{0}}}),
              {kNan, kNan});
}

TEST(Composite, MeansOfSmallFloatsAreCarriedInF32) {
  // In f16 the sum 4096 + 1 + 1 + ... would stay at 4096.
  Row x(1025, 1.0);
  x[0] = 4096;
  expect_near(result_of("mean", {floats(DType::f16, {1025}, x)}, {{"axes", Integers{0}}}), {5.0},
              1e-3);
}

TEST(Composite, LayerNormAndRmsNorm) {
  const Row x = random_row(4 * 6, 35), weight = random_row(6, 36), bias = random_row(6, 37);
  const double epsilon = 1e-3;
  Row layer, rms;
  for (std::size_t r = 0; r < 4; ++r) {
    const Row row(x.begin() + static_cast<std::ptrdiff_t>(6 * r),
                  x.begin() + static_cast<std::ptrdiff_t>(6 * r + 6));
    double squares = 0;
    for (double element : row) squares += element * element;
    for (std::size_t k = 0; k < 6; ++k) {
      layer.push_back((row[k] - mean(row)) / std::sqrt(variance(row) + epsilon) * weight[k] +
                      bias[k]);
      rms.push_back(row[k] / std::sqrt(squares / 6 + epsilon) * weight[k]);
    }
  }
  const LiteralPtr tensor = floats(DType::f64, {4, 2, 3}, x);
  const LiteralPtr w = floats(DType::f64, {2, 3}, weight), b = floats(DType::f64, {2, 3}, bias);
  expect_near(result_of("layer_norm", {tensor, w, b}, {{"epsilon", epsilon}}), layer);
  expect_near(result_of("rms_norm", {tensor, w}, {{"epsilon", epsilon}}), rms);
}

TEST(Composite, BatchNormGivesBiasedStatistics) {
  const Row x = random_row(4 * 3 * 2, 38), weight = {1, -2, 0.5}, bias = {0, 1, 2};
  const double epsilon = 1e-5;
  Row expected(x.size()), means, variances;
  for (std::size_t channel = 0; channel < 3; ++channel) {
    Row members;
    const auto at = [&](std::size_t n, std::size_t s) { return (n * 3 + channel) * 2 + s; };
    for (std::size_t n = 0; n < 4; ++n) members.insert(members.end(), {x[at(n, 0)], x[at(n, 1)]});
    means.push_back(mean(members));
    variances.push_back(variance(members));
    for (std::size_t n = 0; n < 4; ++n) {
      for (std::size_t s = 0; s < 2; ++s) {
        expected[at(n, s)] = (x[at(n, s)] - means[channel]) /
                                 std::sqrt(variances[channel] + epsilon) * weight[channel] +
                             bias[channel];
      }
    }
  }
  const auto row = [](const Row& values) { return floats(DType::f64, {length(values)}, values); };
  const LiteralPtr tensor = floats(DType::f64, {4, 3, 2}, x);
  const Attributes channels = {{"axis", std::int64_t{1}}, {"epsilon", epsilon}};
  const std::vector<Row> results =
      results_of("batch_norm", {tensor, row(weight), row(bias)}, channels);
  expect_near(results[0], expected);
  expect_near(results[1], means);
  expect_near(results[2], variances);
  expect_near(result_of("batch_norm_inference",
                        {tensor, row(weight), row(bias), row(means), row(variances)}, channels),
              expected);
}

// ---- dropout, tables, pooling
// ---------------------------------------------------------------------------------

TEST(Composite, DropoutKeepsAboutTheRightShareAndScalesIt) {
  const Row ones(4000, 1.0);
  const LiteralPtr x = floats(DType::f32, {4000}, ones),
                   key = literal_of(Type(DType::u32, {2}), {7, 9});
  const Row y = result_of("dropout", {x, key}, {{"rate", 0.25}});
  const auto kept = std::ranges::count_if(y, [](double element) { return element != 0; });
  for (double element : y) EXPECT_TRUE(element == 0 || std::abs(element - 4.0 / 3) < 1e-6);
  EXPECT_GT(kept, 2880);  // 3000 expected, standard deviation 27
  EXPECT_LT(kept, 3120);
  EXPECT_EQ(result_of("dropout", {x, key}, {{"rate", 0.25}}), y);
  EXPECT_NE(result_of("dropout", {x, literal_of(Type(DType::u32, {2}), {7, 10})}, {{"rate", 0.25}}),
            y);
  EXPECT_EQ(result_of("dropout", {x, key}, {{"rate", 0.0}}), ones);
  EXPECT_EQ(result_of("dropout", {x, key}, {{"rate", 1.0}}), Row(4000, 0.0));
}

TEST(Composite, EmbeddingAndOneHot) {
  const LiteralPtr table = floats(DType::f32, {3, 2}, {1, 2, 3, 4, 5, 6});
  const LiteralPtr tokens = literal_of(Type(DType::i32, {2, 2}), {2, 0, 1, 2});
  EXPECT_EQ(result_of("embedding", {table, tokens}), (Row{5, 6, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(result_of("embedding", {table, tokens}, {{"padding_index", std::int64_t{2}}}),
            (Row{5, 6, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(result_of("one_hot", {literal_of(Type(DType::i64, {3}), {1, -1, 2})},
                      {{"classes", std::int64_t{3}}}),
            (Row{0, 1, 0, 0, 0, 0, 0, 0, 1}));
}

struct Pool {
  double largest, total, inside;
};

// One window of a channels-first image, element by element.
Pool pool_at(const OpSample& s, const Row& x, std::int64_t base, std::int64_t step,
             const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& place) {
  const auto list = [&](std::string_view name, std::size_t k) {
    return s.attributes.integers(name)[k];
  };
  Pool pool{-kInfinity, 0, 0};
  const std::size_t spatial = sizes.size();
  std::int64_t count = 1;
  for (std::size_t k = 0; k < spatial; ++k) count *= list("window", k);
  for (std::int64_t w = 0; w < count; ++w) {
    std::int64_t rest = w, offset = 0;
    bool inside = true;
    std::vector<std::int64_t> within(spatial);
    for (std::size_t k = spatial; k-- > 0; rest /= list("window", k))
      within[k] = rest % list("window", k);
    for (std::size_t k = 0; k < spatial; ++k) {
      const std::int64_t p =
          place[k] * list("strides", k) + within[k] * list("dilations", k) - list("padding_low", k);
      inside = inside && p >= 0 && p < sizes[k];
      offset = offset * sizes[k] + p;
    }
    if (!inside) continue;
    const double element = x[static_cast<std::size_t>(base + offset * step)];
    pool.largest = std::max(pool.largest, element);
    pool.total += element;
    pool.inside += 1;
  }
  return pool;
}

TEST(Composite, Pooling) {
  for (std::string_view name : {"max_pool", "avg_pool"}) {
    for (const OpSample& s :
         op_samples(ir::op(name), {.dtype = DType::f64, .seed = 40, .count = 60})) {
      SCOPED_TRACE(s.text());
      const bool last = s.attributes.text("layout") == "channels_last", is_max = name == "max_pool";
      const std::vector<std::int64_t> in = s.operands[0]->type().sizes(),
                                      out = s.results[0].sizes();
      const std::size_t first = last ? 1 : 2, spatial = in.size() - 2;
      const std::vector<std::int64_t> sizes(
          in.begin() + static_cast<std::ptrdiff_t>(first),
          in.begin() + static_cast<std::ptrdiff_t>(first + spatial));
      const std::int64_t channels = in[last ? in.size() - 1 : 1];
      const std::int64_t area =
          std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
      const Row x = numbers(s.operands[0]),
                y = evaluate(s).empty() ? Row{} : numbers(evaluate(s)[0]);
      double window = 1;
      for (std::int64_t size : s.attributes.integers("window")) window *= static_cast<double>(size);
      Row expected;
      for (std::int64_t flat = 0; flat < s.results[0].element_count(); ++flat) {
        std::vector<std::int64_t> at(out.size());
        std::int64_t rest = flat;
        for (std::size_t k = out.size(); k-- > 0; rest /= out[k]) at[k] = rest % out[k];
        const std::int64_t channel = at[last ? out.size() - 1 : 1];
        const std::int64_t base =
            last ? at[0] * area * channels + channel : (at[0] * channels + channel) * area;
        const std::vector<std::int64_t> place(
            at.begin() + static_cast<std::ptrdiff_t>(first),
            at.begin() + static_cast<std::ptrdiff_t>(first + spatial));
        const Pool pool = pool_at(s, x, base, last ? channels : 1, sizes, place);
        if (is_max)
          expected.push_back(pool.largest);
        else
          expected.push_back(pool.total /
                             (s.attributes.boolean("count_include_pad") ? window : pool.inside));
      }
      expect_near(y, expected);
    }
  }
}

}  // namespace
}  // namespace hyperion::testing_support

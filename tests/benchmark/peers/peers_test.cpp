#include "tests/benchmark/peers/peers.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "tests/benchmark/peers/machine.hpp"
#include "tests/support/source_path.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::benchmark {
namespace {

std::vector<float> random_floats(std::int64_t count, std::uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(rng() >> 8) * 0x1p-23f - 1.0f;
  return values;
}

void expect_near(const std::vector<float>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 1e-4) << "element " << i;
  }
}

#define HYP_SKIP_IF_ABSENT(kernel) \
  if (!(kernel)) GTEST_SKIP() << "this peer is absent here"

class MatmulPeers : public testing::TestWithParam<std::tuple<bool, bool>> {};
INSTANTIATE_TEST_SUITE_P(Layouts, MatmulPeers, testing::Combine(testing::Bool(), testing::Bool()));

TEST_P(MatmulPeers, ComputeTheProduct) {
  const auto [lhs_transposed, rhs_transposed] = GetParam();
  const std::int64_t m = 7, n = 5, k = 11;
  const auto a = random_floats(m * k, 1);
  const auto b = random_floats(k * n, 2);
  std::vector<double> expected(m * n);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t l = 0; l < k; ++l) {
        const double lhs = lhs_transposed ? a[l * m + i] : a[i * k + l];
        const double rhs = rhs_transposed ? b[j * k + l] : b[l * n + j];
        expected[i * n + j] += lhs * rhs;
      }
    }
  }
  const Peers peers(1);
  std::vector<float> c(m * n);
  const Matmul problem{m, n, k, lhs_transposed, rhs_transposed, a.data(), b.data(), c.data()};
  const auto openblas = peers.openblas_matmul(problem);
  const auto onednn = peers.onednn_matmul(problem);
  HYP_SKIP_IF_ABSENT(openblas || onednn);
  for (PeerKernel* kernel : {openblas.get(), onednn.get()}) {
    if (kernel == nullptr) continue;
    std::ranges::fill(c, -1.0f);
    kernel->run();
    expect_near(c, expected);
  }
}

TEST(Peers, ConvolutionWithEachEpilogue) {
  const Peers peers(1);
  Convolution p{
      .batch = 2, .height = 6, .width = 5, .in_channels = 3, .out_channels = 4, .kernel = 3};
  p.padding = 1;
  const auto input = random_floats(p.batch * p.height * p.width * p.in_channels, 3);
  const auto weights = random_floats(p.kernel * p.kernel * p.in_channels * p.out_channels, 4);
  const auto bias = random_floats(p.out_channels, 5);
  std::vector<float> output(p.batch * p.out_height() * p.out_width() * p.out_channels);
  p.input = input.data(), p.weights = weights.data(), p.bias = bias.data();
  p.output = output.data();
  for (auto epilogue : {Convolution::Epilogue::none, Convolution::Epilogue::fused,
                        Convolution::Epilogue::separate}) {
    p.epilogue = epilogue;
    std::vector<double> expected;
    for (std::int64_t b = 0; b < p.batch; ++b) {
      for (std::int64_t y = 0; y < p.out_height(); ++y) {
        for (std::int64_t x = 0; x < p.out_width(); ++x) {
          for (std::int64_t o = 0; o < p.out_channels; ++o) {
            const bool plain = epilogue == Convolution::Epilogue::none;
            double sum = plain ? 0.0 : bias[o];
            for (std::int64_t ky = 0; ky < 3; ++ky) {
              for (std::int64_t kx = 0; kx < 3; ++kx) {
                const std::int64_t iy = y + ky - 1, ix = x + kx - 1;
                if (iy < 0 || ix < 0 || iy >= p.height || ix >= p.width) continue;
                for (std::int64_t i = 0; i < p.in_channels; ++i) {
                  sum += double(input[((b * p.height + iy) * p.width + ix) * p.in_channels + i]) *
                         weights[((ky * 3 + kx) * p.in_channels + i) * p.out_channels + o];
                }
              }
            }
            expected.push_back(plain ? sum : std::max(sum, 0.0));
          }
        }
      }
    }
    const auto kernel = peers.onednn_convolution(p);
    HYP_SKIP_IF_ABSENT(kernel);
    kernel->run();
    kernel->collect();
    expect_near(output, expected);
  }
}

TEST(Peers, SoftmaxAndLayerNorm) {
  const Peers peers(1);
  const std::int64_t rows = 3, columns = 17;
  const auto input = random_floats(rows * columns, 6);
  const auto scale = random_floats(columns, 7);
  const auto shift = random_floats(columns, 8);
  std::vector<float> output(rows * columns);
  const Rows p{rows, columns, input.data(), output.data(), scale.data(), shift.data()};
  std::vector<double> softmax, layer_norm;
  for (std::int64_t r = 0; r < rows; ++r) {
    double sum = 0, mean = 0, variance = 0;
    for (std::int64_t c = 0; c < columns; ++c) {
      sum += std::exp(double(input[r * columns + c]));
      mean += input[r * columns + c] / double(columns);
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      variance += std::pow(input[r * columns + c] - mean, 2) / double(columns);
    }
    for (std::int64_t c = 0; c < columns; ++c) {
      softmax.push_back(std::exp(double(input[r * columns + c])) / sum);
      layer_norm.push_back(
          (input[r * columns + c] - mean) / std::sqrt(variance + p.epsilon) * scale[c] + shift[c]);
    }
  }
  const auto softmax_kernel = peers.onednn_softmax(p);
  HYP_SKIP_IF_ABSENT(softmax_kernel);
  softmax_kernel->run();
  expect_near(output, softmax);
  const auto norm_kernel = peers.onednn_layer_norm(p);
  HYP_SKIP_IF_ABSENT(norm_kernel);
  norm_kernel->run();
  expect_near(output, layer_norm);
}

TEST(Peers, PyTorchAnswersOrSaysWhyNot) {
  std::string reason;
  auto pytorch = PyTorch::start(
      testing_support::source_path("tests/benchmark/peers/training_step_peer.py"), reason);
  if (!pytorch) {
    EXPECT_FALSE(reason.empty());
    GTEST_SKIP() << reason;
  }
  EXPECT_TRUE(pytorch->version().starts_with("PyTorch "));
  EXPECT_GT(pytorch->training_step("mlp", 1).turn(), 0.0);
}

TEST(Peers, AMissingScriptIsAReasonNotACrash) {
  std::string reason;
  EXPECT_FALSE(PyTorch::start("/no/such/script.py", reason));
  EXPECT_FALSE(reason.empty());
}

TEST(Machine, LoopsCountTheirWork) {
  runtime::ThreadPool pool(2);
  fma_loop(pool)();
  EXPECT_GT(fma_loop_flops(2), 0.0);
  for (bool non_temporal : {false, true}) {
    for (auto kind : {StreamLoop::Kind::copy, StreamLoop::Kind::triad}) {
      const StreamLoop loop(kind, 6 * 64 * 1000, non_temporal, pool);
      loop.call()();
      EXPECT_EQ(loop.bytes_per_call(), 6.0 * 64 * 1000);
    }
  }
  EXPECT_NE(machine_text().find("threads"), std::string::npos);
}

TEST(Bench, RaceGivesTheMedianOfEachContender) {
  int turn = 0;
  const double first[] = {3, 1, 2};
  const auto medians =
      race({{"a", [&] { return first[turn]; }}, {"b", [&] { return 10.0 * ++turn; }}}, 3);
  EXPECT_EQ(medians, (std::vector<double>{2, 20}));
}

TEST(Bench, TimedRepeatsShortCallsAndKeepsOneRepetitionForLongOnes) {
  int calls = 0;
  const Contender contender = timed("count", [&] { ++calls; }, 1, 0.001);
  EXPECT_GT(contender.turn(), 0.0);
  EXPECT_GT(calls, 100);
}

TEST(Bench, RatiosAboveOneMeanThatWeAreFaster) {
  Row rate{
      .suite = "s", .name = "n", .shape = "1", .median = 30, .unit = "GFLOP/s", .peer_median = 20};
  Row time{.suite = "s", .name = "n", .shape = "1", .median = 2, .unit = "ms", .peer_median = 3};
  EXPECT_EQ(rate.ratio(), 1.5);
  EXPECT_EQ(time.ratio(), 1.5);
  time.peer_median = std::nullopt;
  EXPECT_EQ(time.ratio(), std::nullopt);
}

TEST(Bench, JsonHasTheFieldsOfARow) {
  const testing_support::TempFolder folder;
  Report report;
  report.add({.suite = "matmul",
              .name = "sgemm",
              .shape = "2x2x2",
              .threads = 2,
              .median = 3,
              .unit = "ms",
              .peer = "oneDNN",
              .peer_median = 6});
  report.add({.suite = "matmul",
              .name = "sgemm",
              .shape = "4x4x4",
              .median = 3,
              .unit = "ms",
              .peer = "peer absent"});
  ASSERT_TRUE(report.write_json(folder.path("rows.json")));
  std::stringstream text;
  text << std::ifstream(folder.path("rows.json")).rdbuf();
  EXPECT_EQ(text.str(),
            R"([
  {"suite": "matmul", "name": "sgemm", "shape": "2x2x2", "dtype": "f32", "device": "cpu", "threads": 2, "median": 3, "unit": "ms", "peer": "oneDNN", "peer_median": 6, "ratio": 2},
  {"suite": "matmul", "name": "sgemm", "shape": "4x4x4", "dtype": "f32", "device": "cpu", "threads": 1, "median": 3, "unit": "ms", "peer": "peer absent", "peer_median": null, "ratio": null}
]
)");
}

TEST(Bench, MarkdownHasATableForEachSuiteAndNumberOfThreads) {
  const testing_support::TempFolder folder;
  Report report;
  const Row row{.suite = "matmul",
                .name = "sgemm",
                .shape = "2x2x2",
                .median = 3,
                .unit = "GFLOP/s",
                .peer = "oneDNN",
                .peer_median = 2};
  report.add(row);
  Row threaded = row;
  threaded.threads = 2, threaded.peer = "peer absent", threaded.peer_median = std::nullopt;
  report.add(threaded);
  ASSERT_TRUE(report.write_markdown(folder.path("rows.md"), "a machine"));
  std::stringstream text;
  text << std::ifstream(folder.path("rows.md")).rdbuf();
  EXPECT_EQ(text.str(), R"(Machine: a machine.

| matmul, 1 thread | shape | Hyperion | | peer | ratio | |
| --- | --- | ---: | --- | ---: | ---: | --- |
| sgemm | 2x2x2 | 3.00 | GFLOP/s | 2.00 | 1.50 | oneDNN |

| matmul, 2 threads | shape | Hyperion | | peer | ratio | |
| --- | --- | ---: | --- | ---: | ---: | --- |
| sgemm | 2x2x2 | 3.00 | GFLOP/s | - | - | peer absent |
)");
}

}  // namespace
}  // namespace hyperion::benchmark

#include "codegen/llvm/contraction_convolution.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "codegen/llvm/contraction_testing.hpp"

namespace hyperion::codegen {
namespace {

bool tap_meets(const WindowAxis& axis, std::int64_t o, std::int64_t t, std::int64_t& position) {
  const std::int64_t p = o * axis.stride + t * axis.dilation - axis.padding;
  if (p < 0 || p % axis.input_dilation != 0) return false;
  position = p / axis.input_dilation;
  return position < axis.input;
}

float one_output(const ConvolutionSpec& s, const float* x, const float* w, std::int64_t n,
                 std::int64_t g, std::int64_t oh, std::int64_t ow, std::int64_t co) {
  float acc = 0;
  for (std::int64_t th = 0; th < s.height.kernel; ++th) {
    for (std::int64_t tw = 0; tw < s.width.kernel; ++tw) {
      std::int64_t ih = 0, iw = 0;
      if (!tap_meets(s.height, oh, th, ih) || !tap_meets(s.width, ow, tw, iw)) continue;
      for (std::int64_t c = 0; c < s.in_channels; ++c) {
        acc = std::fma(x[s.lhs.offset + n * s.lhs.batch + g * s.lhs.group + ih * s.height.lhs +
                         iw * s.width.lhs + c * s.lhs.channel],
                       w[s.rhs.offset + g * s.rhs.group + th * s.height.rhs + tw * s.width.rhs +
                         c * s.rhs.in_channel + co * s.rhs.out_channel],
                       acc);
      }
    }
  }
  return acc;
}

void reference(const ConvolutionSpec& s, const float* x, const float* w, float* y) {
  const ConvolutionOutput& to = s.outputs[0];
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t g = 0; g < s.groups; ++g)
      for (std::int64_t oh = 0; oh < s.height.output; ++oh)
        for (std::int64_t ow = 0; ow < s.width.output; ++ow)
          for (std::int64_t co = 0; co < s.out_channels; ++co)
            y[to.offset + n * to.batch + g * to.group + oh * to.height + ow * to.width +
              co * to.channel] = one_output(s, x, w, n, g, oh, ow, co);
}

struct Sizes {
  std::size_t input, weights, output;
};

Sizes sizes_of(const ConvolutionSpec& forward) {
  const auto product = [](std::initializer_list<std::int64_t> extents) {
    std::int64_t size = 1;
    for (std::int64_t extent : extents) size *= extent;
    return static_cast<std::size_t>(size);
  };
  const std::int64_t in = forward.in_channels * forward.groups;
  const std::int64_t out = forward.out_channels * forward.groups;
  return {product({forward.batch, forward.height.input, forward.width.input, in}),
          product({forward.height.kernel, forward.width.kernel, forward.in_channels, out}),
          product({forward.batch, forward.height.output, forward.width.output, out})};
}

std::vector<float> random_floats(std::mt19937& random, std::size_t size) {
  std::vector<float> data(size);
  for (float& x : data) {
    x = std::ldexp(static_cast<float>(random() % 4001) - 2000.0f,
                   static_cast<int>(random() % 12) - 14);
  }
  return data;
}

void expect_exact(const ConvolutionSpec& spec, const ConvolutionSchedule& schedule,
                  const CpuTarget& target, std::size_t lhs, std::size_t rhs, std::size_t out,
                  std::mt19937& random) {
  std::vector<float> x = random_floats(random, lhs), w = random_floats(random, rhs);
  // A weight that must not meet padding, and an input that must not meet skipped taps.
  if (!w.empty() && random() % 2) w[random() % w.size()] = std::numeric_limits<float>::infinity();
  std::vector<float> y = random_floats(random, out);
  std::vector<float> expected = y;
  IrModule module("convolution", target);
  auto plan = emit_convolution(module, spec, {}, schedule);
  ASSERT_TRUE(plan) << plan.error().text();
  auto object = compile_object(module);
  ASSERT_TRUE(object) << object.error().text();
  auto code = load_object(*object);
  ASSERT_TRUE(code) << code.error().text();
  RunnableContraction compiled({plan->launches, plan->workspace_bytes, {}}, *code, 1, 3);
  reference(spec, x.data(), w.data(), expected.data());
  compiled.run_backwards({x.data(), w.data(), y.data()},
                         1 + static_cast<std::int64_t>(random() % 3));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (std::isnan(y[i]) && std::isnan(expected[i])) continue;
    if (std::memcmp(&y[i], &expected[i], 4) == 0) continue;
    if (++wrong < 4)
      ADD_FAILURE() << "element " << i << ": " << y[i] << ", expected " << expected[i];
  }
  EXPECT_EQ(wrong, 0u) << plan->schedule.text() << "; batch " << spec.batch << " channels "
                       << spec.in_channels << "->" << spec.out_channels << " width in "
                       << spec.width.input << " out " << spec.width.output << " kernel "
                       << spec.width.kernel << " stride " << spec.width.stride << " dilation "
                       << spec.width.dilation << "," << spec.width.input_dilation << " padding "
                       << spec.width.padding;
}

ConvolutionSchedule random_schedule(std::mt19937& random, const CpuTarget& target) {
  ConvolutionSchedule s;
  s.tile_vectors = 1 + static_cast<int>(random() % (target.vector_registers == 16 ? 2 : 4));
  const int most = (target.vector_registers - 2 - s.tile_vectors) / s.tile_vectors;
  s.tile_rows = 1 + static_cast<int>(random() % static_cast<unsigned>(std::min(most, 14)));
  s.rows_along_batch = random() % 3 == 0;
  s.pack_weights = random() % 2;
  s.block_rows = 1 + static_cast<std::int64_t>(random() % 4);
  s.block_strips = 1 + static_cast<std::int64_t>(random() % 3);
  s.tap_block = static_cast<std::int64_t>(random() % 3);
  return s;
}

WindowAxis random_axis(std::mt19937& random) {
  WindowAxis axis;
  axis.input = 1 + static_cast<std::int64_t>(random() % 13);
  axis.kernel = 1 + static_cast<std::int64_t>(random() % 4);
  axis.stride = 1 + static_cast<std::int64_t>(random() % 3);
  axis.dilation = 1 + static_cast<std::int64_t>(random() % 2);
  axis.input_dilation = random() % 4 == 0 ? 2 : 1;
  axis.padding = static_cast<std::int64_t>(random() % 4) - (random() % 8 == 0);
  return axis;
}

ConvolutionSpec random_forward(std::mt19937& random, std::int64_t groups) {
  const auto channels = [&] { return groups * (1 + static_cast<std::int64_t>(random() % 20)); };
  const std::int64_t batch = 1 + static_cast<std::int64_t>(random() % 5);
  const WindowAxis height = random_axis(random), width = random_axis(random);
  const std::int64_t in = channels(), out = channels();
  return convolution_spec(batch, height, width, in, out, groups,
                          static_cast<std::int64_t>(random() % 3),
                          static_cast<std::int64_t>(random() % 3));
}

class Convolution : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    target_ = *named_target(GetParam());
    if (!runs_here(target_)) GTEST_SKIP() << "this CPU cannot run " << GetParam();
  }
  CpuTarget target_;
  std::mt19937 random_{7};
};

TEST_P(Convolution, ForwardIsExact) {
  for (int i = 0; i < 40; ++i) {
    ConvolutionSpec spec = random_forward(random_, 1 + i % 3);
    spec.output_may_hold_partials = i % 2 == 0;
    const Sizes sizes = sizes_of(spec);
    expect_exact(spec, random_schedule(random_, target_), target_, sizes.input, sizes.weights,
                 sizes.output, random_);
  }
}

TEST_P(Convolution, InputGradientIsExact) {
  for (int i = 0; i < 20; ++i) {
    const ConvolutionSpec forward = random_forward(random_, 1 + i % 2);
    const Sizes sizes = sizes_of(forward);
    expect_exact(input_gradient_spec(forward), random_schedule(random_, target_), target_,
                 sizes.output, sizes.weights, sizes.input, random_);
  }
}

TEST_P(Convolution, WeightGradientIsExact) {
  for (int i = 0; i < 20; ++i) {
    const ConvolutionSpec forward = random_forward(random_, 1);
    const Sizes sizes = sizes_of(forward);
    expect_exact(weight_gradient_spec(forward), random_schedule(random_, target_), target_,
                 sizes.input, sizes.output, sizes.weights, random_);
  }
}

// The layers of a small network on MNIST, with the schedules that are chosen for them.
TEST_P(Convolution, ChosenSchedulesAreExact) {
  for (auto [channels_in, channels_out, extent] : {std::array{1, 32, 12}, std::array{32, 64, 7}}) {
    const WindowAxis axis{.kernel = 3, .input = extent, .padding = 1};
    const ConvolutionSpec forward =
        convolution_spec(3, axis, axis, channels_in, channels_out, 1, 1, 1);
    const Sizes sizes = sizes_of(forward);
    const auto check = [&](const ConvolutionSpec& spec, std::size_t lhs, std::size_t rhs,
                           std::size_t out) {
      expect_exact(spec, choose_schedule(spec, {}, target_, 2), target_, lhs, rhs, out, random_);
    };
    check(forward, sizes.input, sizes.weights, sizes.output);
    check(input_gradient_spec(forward), sizes.output, sizes.weights, sizes.input);
    check(weight_gradient_spec(forward), sizes.input, sizes.output, sizes.weights);
  }
}

// Gradients computed the plain way, by scattering, agree with the gradient specs (not to the bit:
// the order differs).
TEST(ConvolutionGradients, AgreeWithScattering) {
  std::mt19937 random(9);
  for (int i = 0; i < 20; ++i) {
    const ConvolutionSpec f = random_forward(random, 1);
    const Sizes sizes = sizes_of(f);
    const std::vector<float> x = random_floats(random, sizes.input);
    const std::vector<float> w = random_floats(random, sizes.weights);
    const std::vector<float> dy = random_floats(random, sizes.output);
    std::vector<double> dx(sizes.input), dw(sizes.weights);
    const ConvolutionOutput& to = f.outputs[0];
    for (std::int64_t n = 0; n < f.batch; ++n)
      for (std::int64_t oh = 0; oh < f.height.output; ++oh)
        for (std::int64_t ow = 0; ow < f.width.output; ++ow)
          for (std::int64_t th = 0; th < f.height.kernel; ++th)
            for (std::int64_t tw = 0; tw < f.width.kernel; ++tw) {
              std::int64_t ih = 0, iw = 0;
              if (!tap_meets(f.height, oh, th, ih) || !tap_meets(f.width, ow, tw, iw)) continue;
              for (std::int64_t c = 0; c < f.in_channels; ++c)
                for (std::int64_t co = 0; co < f.out_channels; ++co) {
                  const std::int64_t xi =
                      n * f.lhs.batch + ih * f.height.lhs + iw * f.width.lhs + c;
                  const std::int64_t wi =
                      th * f.height.rhs + tw * f.width.rhs + c * f.rhs.in_channel + co;
                  const double d = dy[static_cast<std::size_t>(n * to.batch + oh * to.height +
                                                               ow * to.width + co)];
                  dx[static_cast<std::size_t>(xi)] += d * w[static_cast<std::size_t>(wi)];
                  dw[static_cast<std::size_t>(wi)] += d * x[static_cast<std::size_t>(xi)];
                }
            }
    std::vector<float> got(sizes.input);
    reference(input_gradient_spec(f), dy.data(), w.data(), got.data());
    for (std::size_t j = 0; j < got.size(); ++j)
      ASSERT_NEAR(got[j], dx[j], 1e-3 * (1 + std::abs(dx[j]))) << j;
    got.assign(sizes.weights, 0);
    reference(weight_gradient_spec(f), x.data(), dy.data(), got.data());
    for (std::size_t j = 0; j < got.size(); ++j)
      ASSERT_NEAR(got[j], dw[j], 1e-3 * (1 + std::abs(dw[j]))) << j;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Convolution, testing::Values("host", "x86-64-v3"),
                         [](const auto& info) { return info.index == 0 ? "host" : "avx2"; });

}  // namespace
}  // namespace hyperion::codegen

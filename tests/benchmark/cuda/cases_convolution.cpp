// Convolutions of ResNet-50, with channels last, which GPUs like best, and with channels first.
#include <cmath>

#include "frontend/hyperion.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {
namespace {

struct Layer {
  std::int64_t batch, channels, side, outputs, kernel, stride;
  std::int64_t padding() const { return kernel / 2; }
  std::int64_t out_side() const { return (side + 2 * padding() - kernel) / stride + 1; }
};

Case convolution(DType dtype, bool channels_last, Layer l) {
  const std::int64_t out = l.out_side();
  const auto text = [](std::int64_t n) { return std::to_string(n); };
  Case c{.suite = "convolution",
         .name = channels_last ? "conv2d NHWC" : "conv2d NCHW",
         .shape = text(l.batch) + "x" + text(l.channels) + "x" + text(l.side) + "x" + text(l.side) + " -> " +
                  text(l.outputs) + ", " + text(l.kernel) + "x" + text(l.kernel) + "/" + text(l.stride),
         .dtype = std::string(dtype_name(dtype)),
         .unit = "TFLOP/s",
         .work = 2.0 * static_cast<double>(l.batch * out * out * l.outputs) *
                 static_cast<double>(l.channels * l.kernel * l.kernel)};
  c.inputs = {{channels_last ? Shape{l.batch, l.side, l.side, l.channels} : Shape{l.batch, l.channels, l.side, l.side}, dtype},
              {channels_last ? Shape{l.outputs, l.kernel, l.kernel, l.channels}
                             : Shape{l.outputs, l.channels, l.kernel, l.kernel},
               dtype}};
  c.program = [=](const std::vector<Tensor>& t) {
    const ConvOptions options{.stride = l.stride, .padding = l.padding()};
    if (!channels_last) return std::vector<Tensor>{conv2d(t[0], t[1], options)};
    const Axes to_first{0, 3, 1, 2}, to_last{0, 2, 3, 1};
    return std::vector<Tensor>{conv2d(t[0].transpose(to_first), t[1].transpose(to_first), options).transpose(to_last)};
  };
  c.reference = [=, at = host_elements(c.inputs)](int, std::int64_t index) {
    std::int64_t rest = index, o = 0, x = 0, y = 0;
    const auto take = [&](std::int64_t extent) {
      const std::int64_t place = rest % extent;
      rest /= extent;
      return place;
    };
    if (channels_last) o = take(l.outputs), x = take(out), y = take(out);
    else x = take(out), y = take(out), o = take(l.outputs);
    const std::int64_t n = rest;
    double sum = 0, magnitude = 0;
    for (std::int64_t ky = 0; ky < l.kernel; ++ky) {
      for (std::int64_t kx = 0; kx < l.kernel; ++kx) {
        const std::int64_t row = y * l.stride + ky - l.padding(), column = x * l.stride + kx - l.padding();
        if (row < 0 || row >= l.side || column < 0 || column >= l.side) continue;
        for (std::int64_t channel = 0; channel < l.channels; ++channel) {
          const double term =
              channels_last
                  ? at(0, ((n * l.side + row) * l.side + column) * l.channels + channel) *
                        at(1, ((o * l.kernel + ky) * l.kernel + kx) * l.channels + channel)
                  : at(0, ((n * l.channels + channel) * l.side + row) * l.side + column) *
                        at(1, ((o * l.channels + channel) * l.kernel + ky) * l.kernel + kx);
          sum += term, magnitude += std::fabs(term);
        }
      }
    }
    return Expected{sum, rounding(dtype) * std::fabs(sum) + 4e-6 * magnitude};
  };
  return c;
}

}  // namespace

std::vector<Case> convolution_cases(Scale scale) {
  const Layer layers[] = {{64, 64, 56, 64, 3, 1}, {64, 256, 14, 256, 3, 1}, {64, 256, 56, 64, 1, 1}, {64, 3, 224, 64, 7, 2}};
  std::vector<Case> cases;
  for (const DType dtype : {DType::bf16, DType::f32}) {
    for (const bool channels_last : {true, false}) {
      for (const Layer& l : layers) {
        const std::int64_t channels = l.channels == 3 ? 3 : scale(l.channels);
        cases.push_back(convolution(dtype, channels_last,
                                    {scale(l.batch), channels, scale(l.side), scale(l.outputs), l.kernel, l.stride}));
      }
    }
  }
  return cases;
}

}  // namespace hyperion::benchmark

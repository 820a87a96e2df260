#include "frontend/nn/init.hpp"

#include <cmath>

#include "frontend/error.hpp"
#include "ir/support/format.hpp"

namespace hyperion::nn {

Fans fans(const Shape& shape) {
  if (shape.size() < 2) {
    frontend::raise(Location{}, "nn.fans", format("a weight of rank {} has no fan_in and fan_out", shape.size()),
                    "initialise vectors with zeros, ones or random::uniform");
  }
  double kernel = 1;
  for (std::size_t k = 2; k < shape.size(); ++k) kernel *= static_cast<double>(shape[k]);
  return {static_cast<double>(shape[1]) * kernel, static_cast<double>(shape[0]) * kernel};
}

double gain(Nonlinearity nonlinearity, double slope) {
  switch (nonlinearity) {
    case Nonlinearity::tanh: return 5.0 / 3.0;
    case Nonlinearity::relu: return std::sqrt(2.0);
    case Nonlinearity::leaky_relu: return std::sqrt(2.0 / (1.0 + slope * slope));
    case Nonlinearity::selu: return 0.75;
    default: return 1.0;
  }
}

Tensor xavier_uniform(const random::Key& key, Shape shape, double factor, DType dtype) {
  const Fans fan = fans(shape);
  const double bound = factor * std::sqrt(6.0 / (fan.in + fan.out));
  return random::uniform(key, std::move(shape), -bound, bound, dtype);
}

Tensor xavier_normal(const random::Key& key, Shape shape, double factor, DType dtype) {
  const Fans fan = fans(shape);
  return random::normal(key, std::move(shape), 0, factor * std::sqrt(2.0 / (fan.in + fan.out)), dtype);
}

namespace {
double kaiming_deviation(const Shape& shape, const KaimingOptions& options) {
  const Fans fan = fans(shape);
  return gain(options.nonlinearity, options.slope) / std::sqrt(options.fan == Fan::in ? fan.in : fan.out);
}
}  // namespace

Tensor kaiming_uniform(const random::Key& key, Shape shape, KaimingOptions options, DType dtype) {
  const double bound = std::sqrt(3.0) * kaiming_deviation(shape, options);
  return random::uniform(key, std::move(shape), -bound, bound, dtype);
}

Tensor kaiming_normal(const random::Key& key, Shape shape, KaimingOptions options, DType dtype) {
  const double deviation = kaiming_deviation(shape, options);
  return random::normal(key, std::move(shape), 0, deviation, dtype);
}

Tensor trunc_normal(const random::Key& key, Shape shape, double mean, double deviation, double low, double high,
                    DType dtype) {
  return random::truncated_normal(key, std::move(shape), mean, deviation, low, high, dtype);
}

Tensor fan_in_uniform(const random::Key& key, Shape shape, double fan_in, DType dtype) {
  const double bound = fan_in > 0 ? 1.0 / std::sqrt(fan_in) : 0.0;
  return random::uniform(key, std::move(shape), -bound, bound, dtype);
}

}  // namespace hyperion::nn

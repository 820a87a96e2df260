#include "frontend/nn/init.hpp"

#include <cmath>

#include "frontend/error.hpp"
#include "ir/support/format.hpp"

namespace hyperion::nn {

Fans fans(const Shape& shape, random::Where where) {
  if (shape.size() < 2) {
    frontend::raise(frontend::user_line(where), "nn.fans", format("a weight of rank {} has no fan_in and fan_out", shape.size()),
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

Tensor xavier_uniform(const random::Key& key, Shape shape, double factor, DType dtype, random::Where where) {
  const frontend::UserLine line(where);
  const Fans fan = fans(shape, where);
  const double bound = factor * std::sqrt(6.0 / (fan.in + fan.out));
  return random::uniform(key, std::move(shape), -bound, bound, dtype, where);
}

Tensor xavier_normal(const random::Key& key, Shape shape, double factor, DType dtype, random::Where where) {
  const frontend::UserLine line(where);
  const Fans fan = fans(shape, where);
  return random::normal(key, std::move(shape), 0, factor * std::sqrt(2.0 / (fan.in + fan.out)), dtype, where);
}

namespace {
double kaiming_deviation(const Shape& shape, const KaimingOptions& options, random::Where where) {
  const Fans fan = fans(shape, where);
  return gain(options.nonlinearity, options.slope) / std::sqrt(options.fan == Fan::in ? fan.in : fan.out);
}
}  // namespace

Tensor kaiming_uniform(const random::Key& key, Shape shape, KaimingOptions options, DType dtype,
                       random::Where where) {
  const frontend::UserLine line(where);
  const double bound = std::sqrt(3.0) * kaiming_deviation(shape, options, where);
  return random::uniform(key, std::move(shape), -bound, bound, dtype, where);
}

Tensor kaiming_normal(const random::Key& key, Shape shape, KaimingOptions options, DType dtype,
                      random::Where where) {
  const frontend::UserLine line(where);
  const double deviation = kaiming_deviation(shape, options, where);
  return random::normal(key, std::move(shape), 0, deviation, dtype, where);
}

Tensor trunc_normal(const random::Key& key, Shape shape, double mean, double deviation, double low, double high,
                    DType dtype, random::Where where) {
  const frontend::UserLine line(where);
  return random::truncated_normal(key, std::move(shape), mean, deviation, low, high, dtype, where);
}

Tensor fan_in_uniform(const random::Key& key, Shape shape, double fan_in, DType dtype, random::Where where) {
  const frontend::UserLine line(where);
  const double bound = fan_in > 0 ? 1.0 / std::sqrt(fan_in) : 0.0;
  return random::uniform(key, std::move(shape), -bound, bound, dtype, where);
}

}  // namespace hyperion::nn

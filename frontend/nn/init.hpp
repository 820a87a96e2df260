// init.hpp: first values of parameters. Formulas and defaults are PyTorch's (torch.nn.init).
//
// For a weight [out, in, kernel...], fan_in is in * prod(kernel) and fan_out is out * prod(kernel).
#pragma once

#include <string_view>

#include "frontend/random.hpp"

namespace hyperion::nn {

struct Fans {
  double in, out;
};
Fans fans(const Shape& shape, random::Where where = random::Where::current());

enum class Fan : std::uint8_t { in, out };
enum class Nonlinearity : std::uint8_t { linear, sigmoid, tanh, relu, leaky_relu, selu };

// The factor that keeps variance through a nonlinearity; `slope` is leaky_relu's.
double gain(Nonlinearity nonlinearity, double slope = 0.01);

// U(-a, a), a = gain * sqrt(6 / (fan_in + fan_out));  N(0, s), s = gain * sqrt(2 / (fan_in + fan_out)).
Tensor xavier_uniform(const random::Key& key, Shape shape, double gain = 1, DType dtype = DType::f32,
                      random::Where where = random::Where::current());
Tensor xavier_normal(const random::Key& key, Shape shape, double gain = 1, DType dtype = DType::f32,
                     random::Where where = random::Where::current());

struct KaimingOptions {
  double slope = 0;  // of the leaky ReLU behind; 0 is ReLU
  Fan fan = Fan::in;
  Nonlinearity nonlinearity = Nonlinearity::leaky_relu;
};
// U(-b, b), b = gain * sqrt(3 / fan);  N(0, s), s = gain / sqrt(fan).
Tensor kaiming_uniform(const random::Key& key, Shape shape, KaimingOptions options = {}, DType dtype = DType::f32,
                       random::Where where = random::Where::current());
Tensor kaiming_normal(const random::Key& key, Shape shape, KaimingOptions options = {}, DType dtype = DType::f32,
                       random::Where where = random::Where::current());

// Normal, redrawn outside [low, high].
Tensor trunc_normal(const random::Key& key, Shape shape, double mean = 0, double deviation = 1, double low = -2,
                    double high = 2, DType dtype = DType::f32, random::Where where = random::Where::current());

// U(-b, b), b = 1 / sqrt(fan_in): how Linear and Conv start, weight and bias alike.
Tensor fan_in_uniform(const random::Key& key, Shape shape, double fan_in, DType dtype = DType::f32,
                      random::Where where = random::Where::current());

}  // namespace hyperion::nn

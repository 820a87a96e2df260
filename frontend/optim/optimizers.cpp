#include "frontend/optim/optimizers.hpp"

#include <cmath>

#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/reduce.hpp"

namespace hyperion::optim {
namespace {

bool is_decayed(const Tensor& parameter, double weight_decay, Decay decay) {
  return weight_decay != 0 && (decay == Decay::all || parameter.rank() >= 2);
}

Tensor with_decay(const Tensor& gradient, const Tensor& parameter, double weight_decay, Decay decay) {
  return is_decayed(parameter, weight_decay, decay) ? gradient + parameter * weight_decay : gradient;
}

// 1 - beta^t for step number t. expm1 keeps the digits that 1 - 0.999 would lose.
Tensor bias_correction(double beta, const Tensor& step) {
  return -expm1((step + 1).to(DType::f32) * std::log(beta));
}

// The update shared by Adam and AdamW, on a parameter and gradient in which decay is already accounted for.
Item adam(const Tensor& parameter, const Item& item, const Tensor& gradient, const Progress& progress, double beta1,
          double beta2, double epsilon, bool amsgrad) {
  const DType dtype = parameter.dtype();
  const Tensor first = item.first * beta1 + gradient * (1 - beta1);
  const Tensor second = item.second * beta2 + square(gradient) * (1 - beta2);
  // Scalars first: one division for all elements of the parameter.
  const Tensor rate = (progress.learning_rate / bias_correction(beta1, progress.step)).to(dtype);
  const Tensor unbias = rsqrt(bias_correction(beta2, progress.step)).to(dtype);
  const Tensor third = amsgrad ? maximum(item.third, second) : item.third;
  return {parameter - first * rate / (sqrt(amsgrad ? third : second) * unbias + epsilon), first, second, third};
}

}  // namespace

Item SGD::step(const Item& item, const Tensor& gradient, const Progress& progress) const {
  const Tensor& p = item.parameter;
  Tensor direction = with_decay(gradient, p, weight_decay, decay);
  Tensor velocity = item.first;
  if (momentum != 0) {
    const Tensor running = velocity * momentum + direction * (1 - dampening);
    velocity = dampening == 0 ? running : where(progress.step == 0, direction, running);
    direction = nesterov ? direction + velocity * momentum : velocity;
  }
  return {p - direction * progress.learning_rate.to(p.dtype()), velocity, item.second, item.third};
}

Item RMSprop::step(const Item& item, const Tensor& gradient, const Progress& progress) const {
  const Tensor& p = item.parameter;
  const Tensor rate = progress.learning_rate.to(p.dtype());
  const Tensor g = with_decay(gradient, p, weight_decay, decay);
  const Tensor second = item.second * alpha + square(g) * (1 - alpha);
  const Tensor third = centered ? item.third * alpha + g * (1 - alpha) : item.third;
  const Tensor direction = g / (sqrt(centered ? second - square(third) : second) + epsilon);
  if (momentum == 0) return {p - direction * rate, item.first, second, third};
  const Tensor velocity = item.first * momentum + direction;
  return {p - velocity * rate, velocity, second, third};
}

Item Adam::step(const Item& item, const Tensor& gradient, const Progress& progress) const {
  const Tensor g = with_decay(gradient, item.parameter, weight_decay, decay);
  return adam(item.parameter, item, g, progress, beta1, beta2, epsilon, amsgrad);
}

Item AdamW::step(const Item& item, const Tensor& gradient, const Progress& progress) const {
  Tensor p = item.parameter;
  if (is_decayed(p, weight_decay, decay)) p = p * (1.0 - progress.learning_rate * weight_decay).to(p.dtype());
  return adam(p, item, gradient, progress, beta1, beta2, epsilon, amsgrad);
}

Tensor global_norm(const std::vector<Tensor>& gradients) {
  Tensor total = zeros({});
  for (const Tensor& g : gradients) total = total + sum(square(g.to(DType::f32)));
  return sqrt(total);
}

Tensor clip_factor(const Tensor& norm, double limit) { return minimum(limit / (norm + 1e-6), 1.0); }

}  // namespace hyperion::optim

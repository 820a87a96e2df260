#include "frontend/optim/schedules.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"

namespace hyperion::optim {
namespace {

// r = (step - from) / length, clamped to [0, 1].
Tensor progress(const Tensor& step, std::int64_t from, std::int64_t length) {
  const Tensor done = (step - from).to(DType::f32);
  return clip(done / static_cast<double>(std::max<std::int64_t>(length, 1)), 0.0, 1.0);
}

}  // namespace

Tensor constant(const Tensor& step, double rate) { return full_like(step.to(DType::f32), rate); }

Tensor step_decay(const Tensor& step, double rate, std::int64_t every, double factor) {
  return exponential(step / every, rate, factor);
}

Tensor exponential(const Tensor& step, double rate, double factor) {
  return exp(step.to(DType::f32) * std::log(factor)) * rate;
}

Tensor linear(const Tensor& step, double rate, double end, std::int64_t steps) {
  return progress(step, 0, steps) * (end - rate) + rate;
}

Tensor cosine(const Tensor& step, const CosineOptions& o) {
  const Tensor wave = cos(progress(step, o.warmup, o.steps - o.warmup) * std::numbers::pi) + 1.0;
  const Tensor decayed = wave * (0.5 * (o.rate - o.minimum)) + o.minimum;
  if (o.warmup == 0) return decayed;
  const double length = static_cast<double>(o.form == Warmup::below_rate ? o.warmup + 1 : o.warmup);
  const Tensor rising = (step + 1).to(DType::f32) * (o.rate / length);
  return where(step < o.warmup, rising, decayed);
}

}  // namespace hyperion::optim

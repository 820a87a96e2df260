// schedules.hpp: learning rates as functions of the step, in tensors.
//
// `step` is the number of updates done (optim::State::step, an i64 scalar); the result is an f32 scalar. A schedule is
// part of the training step's program: nothing is compiled when the rate changes.
#pragma once

#include "frontend/tensor.hpp"

namespace hyperion::optim {

Tensor constant(const Tensor& step, double rate);
// rate * factor^floor(step / every)
Tensor step_decay(const Tensor& step, double rate, std::int64_t every, double factor = 0.1);
// rate * factor^step
Tensor exponential(const Tensor& step, double rate, double factor);
// From `rate` to `end` within `steps`, then `end`.
Tensor linear(const Tensor& step, double rate, double end, std::int64_t steps);

// How the rate rises during the first `warmup` steps: rate * (step + 1) / (warmup + 1), which never reaches `rate`
// within them, or rate * (step + 1) / warmup, whose last one does.
enum class Warmup : std::uint8_t { below_rate, reaches_rate };

struct CosineOptions {
  double rate = 1e-3;
  double minimum = 0;
  std::int64_t warmup = 0;
  std::int64_t steps = 1;  // all of them, warm-up included
  Warmup form = Warmup::below_rate;
};
// After the warm-up half a cosine: minimum + (rate - minimum) (1 + cos(pi r)) / 2 with r = (step - warmup) / (steps -
// warmup), then `minimum`.
Tensor cosine(const Tensor& step, const CosineOptions& options);

}  // namespace hyperion::optim

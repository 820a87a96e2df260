// losses.hpp: losses with PyTorch's definitions and defaults.
#pragma once

#include "frontend/tensor.hpp"

namespace hyperion::nn {

enum class Reduction : std::uint8_t { mean, sum, none };

struct CrossEntropyOptions {
  std::int64_t ignore_index = -100;
  double label_smoothing = 0;
  Reduction reduction = Reduction::mean;
};

// Classes stand along axis 1 of `logits` ([n, c] or [n, c, ...]). `targets` are class indices ([n] or [n, ...]) or
// probabilities shaped like the logits. Smoothing e: (1 - e) nll + e mean over classes of -log p. The mean is over targets
// that are not ignored, so it is NaN when all are. Probabilities are never formed: log-sum-exp throughout.
Tensor cross_entropy(Operand logits, const Tensor& targets, CrossEntropyOptions options = {});
// The same from log-probabilities and class indices, without smoothing.
Tensor nll_loss(Operand log_probabilities, const Tensor& targets, CrossEntropyOptions options = {});

Tensor mse_loss(Operand prediction, Operand target, Reduction reduction = Reduction::mean);
Tensor l1_loss(Operand prediction, Operand target, Reduction reduction = Reduction::mean);
// Of probabilities; logarithms are at least -100.
Tensor bce_loss(Operand probability, Operand target, Reduction reduction = Reduction::mean);
Tensor bce_with_logits(Operand logits, Operand target, Reduction reduction = Reduction::mean);
// Quadratic within delta, linear beyond.
Tensor huber_loss(Operand prediction, Operand target, double delta = 1, Reduction reduction = Reduction::mean);

// The share of rows whose largest logit is at the target, as f32.
Tensor accuracy(Operand logits, const Tensor& targets);

}  // namespace hyperion::nn

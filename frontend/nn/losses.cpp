#include "frontend/nn/losses.hpp"

#include "frontend/nn/activations.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/indexing.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/ops/shape.hpp"
#include "ir/support/format.hpp"

namespace hyperion::nn {
namespace {

using frontend::raise;
using frontend::tensor_of;
using frontend::UserLine;

Tensor reduce_loss(const Tensor& loss, Reduction reduction) {
  if (reduction == Reduction::none) return loss;
  return reduction == Reduction::sum ? sum(loss) : mean(loss);
}

void require_classes(std::string_view name, const Tensor& x, Location place) {
  if (x.rank() >= 2) return;
  raise(place, "tensor.axis", format("{}: takes [n, classes, ...], got {}", name, x.type().text()));
}

// Targets are probabilities.
Tensor soft_loss(const Tensor& logp, const Tensor& targets, const CrossEntropyOptions& options) {
  const auto classes = static_cast<double>(logp.dim(1));
  const Tensor smooth = options.label_smoothing == 0
                            ? targets
                            : targets * (1 - options.label_smoothing) + options.label_smoothing / classes;
  const Tensor loss = -sum(smooth * logp, {1});
  // The mean is over rows, as for class indices.
  return reduce_loss(loss, options.reduction);
}

}  // namespace

Tensor cross_entropy(Operand logits, const Tensor& targets, CrossEntropyOptions options) {
  static const ir::OpDefinition& op = ir::op("cross_entropy");
  const UserLine line(logits.where());
  const Tensor x = tensor_of("cross_entropy", logits);
  require_classes("cross_entropy", x, logits.location());
  if (is_floating(targets.dtype())) return soft_loss(log_softmax(x, 1), targets, options);
  const char* reduction = options.reduction == Reduction::mean ? "mean" : options.reduction == Reduction::sum ? "sum" : "none";
  return frontend::apply(op, {move_axis(x, 1, -1).ref(), targets.ref()},
                         {{"ignore_index", options.ignore_index},
                          {"label_smoothing", options.label_smoothing},
                          {"reduction", std::string(reduction)}},
                         logits.location());
}

Tensor nll_loss(Operand log_probabilities, const Tensor& targets, CrossEntropyOptions options) {
  const UserLine line(log_probabilities.where());
  const Tensor logp = tensor_of("nll_loss", log_probabilities);
  require_classes("nll_loss", logp, log_probabilities.location());
  const Tensor is_counted = targets != options.ignore_index;
  const Tensor picked = take_along_axis(logp, unsqueeze(where(is_counted, targets, 0), {1}), 1);
  const Tensor loss = where(is_counted, -squeeze(picked, {1}), 0.0);
  if (options.reduction != Reduction::mean) return reduce_loss(loss, options.reduction);
  return sum(loss) / sum(is_counted.to(loss.dtype()));
}

Tensor mse_loss(Operand prediction, Operand target, Reduction reduction) {
  const UserLine line(prediction.where());
  return reduce_loss(square(prediction - target), reduction);
}

Tensor l1_loss(Operand prediction, Operand target, Reduction reduction) {
  const UserLine line(prediction.where());
  return reduce_loss(abs(prediction - target), reduction);
}

Tensor bce_loss(Operand probability, Operand target, Reduction reduction) {
  const UserLine line(probability.where());
  const Tensor yes = maximum(log(probability), -100.0), no = maximum(log(1.0 - probability), -100.0);
  return reduce_loss(-(target * yes + (1.0 - target) * no), reduction);
}

Tensor bce_with_logits(Operand logits, Operand target, Reduction reduction) {
  const UserLine line(logits.where());
  return reduce_loss((1.0 - target) * logits - log_sigmoid(logits), reduction);
}

Tensor huber_loss(Operand prediction, Operand target, double delta, Reduction reduction) {
  const UserLine line(prediction.where());
  const Tensor distance = abs(prediction - target);
  return reduce_loss(where(distance <= delta, square(distance) * 0.5, (distance - 0.5 * delta) * delta), reduction);
}

Tensor accuracy(Operand logits, const Tensor& targets) {
  const UserLine line(logits.where());
  return mean((argmax(logits, 1) == targets).to(DType::f32));
}

}  // namespace hyperion::nn

// cross_entropy.cpp: the negative log-probability of the labelled class under softmax of the logits.
//
// loss = (1 - s) * (lse - logit[label]) + s * (lse - mean of logits), where lse = log(sum e^logit) and s is the label
// smoothing: probabilities are never formed. Labels equal to ignore_index count as loss 0, and are left out of the
// mean's denominator; so the mean over nothing is 0/0 = NaN, as in PyTorch.
#include "ir/ops/composite.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_cross_entropy(const InferContext& c) {
  const Type logits = c.operands[0], labels = c.operands[1];
  const std::string& reduction = c.attributes.text("reduction");
  HYP_TRY_VOID(check_floating(c, "c1", 0));
  if (!is_integer(labels.dtype()))
    return c.fail("c2", format("labels are {}, not integers", dtype_name(labels.dtype())), {1});
  if (logits.rank() < 1 || !std::ranges::equal(labels.dims(), logits.dims().first(at(logits.rank() - 1)))) {
    return c.fail("c3", format("labels are {} for logits {}", labels.text(), logits.text()), {0, 1});
  }
  if (logits.dim(logits.rank() - 1) == Dim(0)) return c.fail("c4", format("{} has no classes", logits.text()), {0});
  if (reduction != "none" && reduction != "mean" && reduction != "sum") {
    return c.fail("c5", format("reduction \"{}\" is not none, mean or sum", reduction));
  }
  const double smoothing = c.attributes.real("label_smoothing");
  if (!(smoothing >= 0 && smoothing <= 1))
    return c.fail("c6", format("label smoothing {} is not between 0 and 1", smoothing));
  return std::vector{reduction == "none" ? logits.with_dims(labels.dims()) : Type::scalar(logits.dtype())};
}

// The labelled class's logit, as a sum over the classes in which all but one are left out: it is computed where the
// row's other sums are, and its gradient is a choice between two numbers, where that of a gather would be a scatter. A
// label beyond the classes counts as the nearest one, as a gather's index does.
Value at_label(Value logits, Value labels) {
  Builder& b = *logits.builder;
  const std::int64_t axis = logits.rank() - 1;
  const Type places = logits.type().with_dtype(DType::i64);
  const Value last = everywhere(count_along(b, logits.type(), {axis}, DType::i64) - 1, labels);
  const Value wide = b.cast(labels, DType::i64);
  const Value index = b.apply("clamp", {wide, b.zeros(wide.type()), last});
  const Value is_chosen =
      b.compare(iota(b, places, static_cast<int>(axis)), broadcast_into(index, places, counting(0, axis)), "eq");
  return sum_over(b.select(is_chosen, logits, b.zeros(logits.type())), {axis});
}

std::vector<Value> decompose_cross_entropy(DecomposeContext& c) {
  Builder& b = c.builder;
  const Value logits = carried(c.operand(0)), labels = c.operand(1);
  const std::int64_t classes = logits.rank() - 1;
  const double smoothing = c.attributes.real("label_smoothing");
  const std::string& reduction = c.attributes.text("reduction");
  const Value log_sum = b.apply("logsumexp", {logits}, {{"axes", Integers{classes}}});
  const Value chosen = at_label(logits, labels);
  Value loss = log_sum - chosen;
  if (smoothing != 0) loss = loss * (1 - smoothing) + (log_sum - mean_over(logits, {classes})) * smoothing;
  const Value counts = b.compare(
      b.cast(labels, DType::i64),
      b.constant(Literal::splat_integer(labels.type().with_dtype(DType::i64), c.attributes.integer("ignore_index"))),
      "ne");
  loss = b.select(counts, loss, b.zeros(loss.type()));
  if (reduction != "none") {
    const Integers all = counting(0, loss.rank());
    const Value weight = b.cast(counts, loss.dtype());
    loss = sum_over(loss, all);
    if (reduction == "mean") loss = loss / sum_over(weight, all);
  }
  return only(rounded(loss, c.operand(0).dtype()));
}

}  // namespace

OpDefinition op_cross_entropy() {
  OpDefinition op = composite("cross_entropy", "Minus the log-probability of the labels under softmax of the logits.",
                              {{.name = "logits", .doc = "floats; the last axis counts classes"},
                               {.name = "labels", .doc = "integers: a class for each other position"}});
  op.attributes = {
      {"ignore_index", AttributeKind::integer, "labels that do not count", AttributeValue(std::int64_t{-100})},
      {"label_smoothing", AttributeKind::real, "the weight of the mean over classes", AttributeValue(0.0)},
      {"reduction", AttributeKind::text, "none, mean or sum", AttributeValue(std::string("mean"))}};
  op.constraints = {{"c1", "(C1) logits are floating-point numbers"},
                    {"c2", "(C2) labels are integers"},
                    {"c3", "(C3) labels have the shape of the logits without the last axis"},
                    {"c4", "(C4) there is at least one class"},
                    {"c5", "(C5) reduction is none, mean or sum"},
                    {"c6", "(C6) label_smoothing is between 0 and 1"}};
  op.infer = infer_cross_entropy;
  op.decompose = decompose_cross_entropy;
  op.example = "cross_entropy %logits, %labels {reduction = \"mean\"}";
  return op;
}

}  // namespace hyperion::ir::ops

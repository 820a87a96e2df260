#include "frontend/nn/activations.hpp"

#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/recording.hpp"

namespace hyperion::nn {
namespace {

Tensor composite(const ir::OpDefinition& op, const Operand& x, ir::Attributes attributes = {}) {
  return frontend::apply(op, {frontend::tensor_of(op.name, x).ref()}, std::move(attributes), x.location());
}

ir::Attributes on_axis(std::string_view op, const Operand& x, int axis) {
  const int rank = frontend::tensor_of(op, x).rank();
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{frontend::normalize_axis(op, axis, rank, x.location())});
  return attributes;
}

}  // namespace

Tensor relu(Operand x) {
  static const ir::OpDefinition& op = ir::op("relu");
  return composite(op, x);
}

Tensor leaky_relu(Operand x, double slope) {
  static const ir::OpDefinition& op = ir::op("leaky_relu");
  return composite(op, x, {{"slope", slope}});
}

Tensor elu(Operand x, double alpha) {
  static const ir::OpDefinition& op = ir::op("elu");
  return composite(op, x, {{"alpha", alpha}});
}

Tensor sigmoid(Operand x) {
  static const ir::OpDefinition& op = ir::op("sigmoid");
  return composite(op, x);
}

Tensor silu(Operand x) {
  static const ir::OpDefinition& op = ir::op("silu");
  return composite(op, x);
}

Tensor gelu(Operand x, bool approximate) {
  static const ir::OpDefinition& op = ir::op("gelu");
  return composite(op, x, {{"approximate", std::string(approximate ? "tanh" : "none")}});
}

Tensor softplus(Operand x, double beta, double threshold) {
  static const ir::OpDefinition& op = ir::op("softplus");
  return composite(op, x, {{"beta", beta}, {"threshold", threshold}});
}

Tensor softmax(Operand x, int axis) {
  static const ir::OpDefinition& op = ir::op("softmax");
  return composite(op, x, on_axis("softmax", x, axis));
}

Tensor log_softmax(Operand x, int axis) {
  static const ir::OpDefinition& op = ir::op("log_softmax");
  return composite(op, x, on_axis("log_softmax", x, axis));
}

Tensor log_sigmoid(Operand x) {
  const frontend::UserLine line(x.where());
  const Tensor t = frontend::tensor_of("log_sigmoid", x);
  return minimum(t, 0) - log1p(exp(-abs(t)));
}

Tensor Tanh::operator()(Operand x) const { return tanh(x); }

}  // namespace hyperion::nn

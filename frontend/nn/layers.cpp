#include "frontend/nn/layers.hpp"

#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/linalg.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/shape.hpp"
#include "ir/support/format.hpp"

namespace hyperion::nn {
namespace {

using frontend::tensor_of;
using frontend::UserLine;

// Weight and bias of a layer whose fan_in decides both.
struct Parameters {
  Tensor weight;
  std::optional<Tensor> bias;
};
Parameters fan_in_parameters(const random::Key& key, Shape shape, const LayerOptions& options) {
  const auto [weight_key, bias_key] = random::split<2>(key);
  const double fan_in = fans(shape).in;
  Parameters made{fan_in_uniform(weight_key, shape, fan_in, options.dtype), {}};
  if (options.bias) made.bias = fan_in_uniform(bias_key, {shape[0]}, fan_in, options.dtype);
  return made;
}

// A tensor with one entry per channel, ready to meet [n, c, spatial...].
Tensor per_channel(const Tensor& x, int rank) {
  Shape shape(static_cast<std::size_t>(rank), 1);
  shape[1] = x.size();
  return reshape(x, shape);
}

}  // namespace

Linear Linear::create(const random::Key& key, std::int64_t in, std::int64_t out, LayerOptions options) {
  Parameters made = fan_in_parameters(key, {out, in}, options);
  return {made.weight, made.bias};
}

Tensor Linear::operator()(Operand x) const {
  const UserLine line(x.where());
  const Tensor y = tensordot(x, weight, {-1}, {1});
  return bias ? y + *bias : y;
}

Conv1d Conv1d::create(const random::Key& key, std::int64_t in, std::int64_t out, std::int64_t kernel, ConvOptions options,
                      LayerOptions layer) {
  Parameters made = fan_in_parameters(key, {out, in / options.groups, kernel}, layer);
  return {made.weight, made.bias, options};
}

Tensor Conv1d::operator()(Operand x) const {
  const UserLine line(x.where());
  const Tensor y = conv1d(x, weight, options);
  return bias ? y + per_channel(*bias, 3) : y;
}

Conv2d Conv2d::create(const random::Key& key, std::int64_t in, std::int64_t out, Pair kernel, ConvOptions options,
                      LayerOptions layer) {
  Parameters made = fan_in_parameters(key, {out, in / options.groups, kernel.height, kernel.width}, layer);
  return {made.weight, made.bias, options};
}

Tensor Conv2d::operator()(Operand x) const {
  const UserLine line(x.where());
  const Tensor y = conv2d(x, weight, options);
  return bias ? y + per_channel(*bias, 4) : y;
}

namespace {
// Counted from the front.
std::int64_t padding_row(std::int64_t index, std::int64_t count, Location where) {
  if (index < -count || index >= count) {
    frontend::raise(where, "nn.row", format("Embedding: row {} is not in a table of {} rows", index, count));
  }
  return index < 0 ? index + count : index;
}
}  // namespace

Embedding Embedding::create(const random::Key& key, std::int64_t count, std::int64_t width,
                            std::optional<std::int64_t> padding_index, DType dtype, std::source_location place) {
  const UserLine line(place);
  Tensor weight = random::normal(key, {count, width}, 0, 1, dtype);
  if (padding_index) {
    weight = where(unsqueeze(arange(count), {1}) == padding_row(*padding_index, count, frontend::user_line(place)), 0.0,
                   weight);
  }
  return {weight, padding_index};
}

Tensor Embedding::operator()(const Tensor& indices, std::source_location place) const {
  static const ir::OpDefinition& op = ir::op("embedding");
  const Location where = frontend::user_line(place);
  // The op's -1 is no row at all.
  const std::int64_t row = padding_index ? padding_row(*padding_index, weight.dim(0), where) : -1;
  return frontend::apply(op, {weight.ref(), indices.ref()}, {{"padding_index", row}}, where);
}

LayerNorm LayerNorm::create(Shape normalized, LayerOptions options, double epsilon) {
  LayerNorm layer{ones(normalized, options.dtype), {}, epsilon};
  if (options.bias) layer.bias = zeros(normalized, options.dtype);
  return layer;
}

Tensor LayerNorm::operator()(Operand x) const {
  static const ir::OpDefinition& op = ir::op("layer_norm");
  const UserLine line(x.where());
  const Tensor shift = bias ? *bias : zeros_like(weight);
  return frontend::apply(op, {tensor_of("LayerNorm", x).ref(), weight.ref(), shift.ref()}, {{"epsilon", epsilon}},
                         x.location());
}

RMSNorm RMSNorm::create(Shape normalized, double epsilon, DType dtype) { return {ones(std::move(normalized), dtype), epsilon}; }

Tensor RMSNorm::operator()(Operand x) const {
  static const ir::OpDefinition& op = ir::op("rms_norm");
  return frontend::apply(op, {tensor_of("RMSNorm", x).ref(), weight.ref()}, {{"epsilon", epsilon}}, x.location());
}

std::pair<BatchNorm, BatchNormState> BatchNorm::create(std::int64_t channels, DType dtype) {
  return {{ones({channels}, dtype), zeros({channels}, dtype)},
          {zeros({channels}, dtype), ones({channels}, dtype), zeros({}, DType::i64)}};
}

std::pair<Tensor, BatchNormState> BatchNorm::operator()(Operand x, const BatchNormState& state, bool training) const {
  static const ir::OpDefinition& train = ir::op("batch_norm");
  static const ir::OpDefinition& infer = ir::op("batch_norm_inference");
  const UserLine line(x.where());
  const Location where = x.location();
  const Tensor t = tensor_of("BatchNorm", x);
  const ir::Attributes attributes{{"axis", std::int64_t{1}}, {"epsilon", epsilon}};
  if (!training) {
    return {frontend::apply(infer,
                            {t.ref(), weight.ref(), bias.ref(), state.running_mean.ref(), state.running_var.ref()},
                            attributes, where),
            state};
  }
  const frontend::NodeRef results = frontend::record(train, {t.ref(), weight.ref(), bias.ref()}, attributes, where);
  const Tensor centre(results.with_result(1)), variance(results.with_result(2));
  const double count = static_cast<double>(t.size()) / static_cast<double>(weight.size());
  if (count <= 1) {
    frontend::raise(where, "nn.statistics",
                    format("BatchNorm: {} has one value for each channel, which has no variance", t.type().text()),
                    "train on larger batches");
  }
  const Tensor tracked = state.num_batches_tracked + 1;
  // One over the number of batches makes the running value their plain average.
  const Tensor rate = momentum ? full({}, *momentum, t.dtype()) : 1.0 / tracked.to(t.dtype());
  const auto blend = [&](const Tensor& old, const Tensor& batch) {
    return old * (1.0 - rate) + stop_gradient(batch) * rate;
  };
  return {Tensor(results),
          {blend(state.running_mean, centre), blend(state.running_var, variance * (count / (count - 1))), tracked}};
}

Tensor Dropout::operator()(Operand x, const random::Key& key, bool training) const {
  static const ir::OpDefinition& op = ir::op("dropout");
  const Tensor t = tensor_of("Dropout", x);
  if (!training || p == 0) return t;
  return frontend::apply(op, {t.ref(), key.bits.ref()}, {{"rate", p}}, x.location());
}

Tensor Flatten::operator()(Operand x) const { return flatten(x, start, end); }

}  // namespace hyperion::nn

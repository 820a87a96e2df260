// Generators for composites.
#include <algorithm>

#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {

using ir::Attributes;
using ir::Dims;
using ir::Integers;

namespace {

// Away from the kinks and bends at 0.
Application activation(Sampler& s) {
  const bool negative = s.random.chance(50) && s.values == Values::smooth;
  return {{negative ? s.data(s.type(0, 4), -2, -0.2)
                    : s.data(s.type(0, 4), s.values == Values::smooth ? 0.2 : -2, 2)},
          {},
          {}};
}

Application gelu(Sampler& s) {
  return {{s.data(s.type(0, 4), -3, 3)},
          {{"approximate", std::string(s.random.chance(50) ? "none" : "tanh")}},
          {}};
}

Application softplus(Sampler& s) {
  return {{s.data(s.type(0, 4), -3, 3)},
          {{"beta", s.random.pick(std::vector<double>{1, 0.5, 10})}, {"threshold", 20.0}},
          {}};
}

Application clamp(Sampler& s) {
  const Type type = s.type(0, 4);
  return {{s.data(type, -2, 2), s.data(type, -1, -0.5), s.data(type, 0.5, 1)}, {}, {}};
}

Application along_axis(Sampler& s) {
  const Type x = s.type(1, 4);
  return {{s.data(x)}, {{"axis", s.random.below(x.rank())}}, {}};
}

Application over_axes(Sampler& s) {
  const Type x = s.type(1, 4, false);
  return {{s.data(x)}, {{"axes", s.some_axes(x.rank(), true)}}, {}};
}

Application variance(Sampler& s) {
  Application made = over_axes(s);
  made.attributes.set("correction", 0.0);
  return made;
}

// x, and `parameters` tensors of its trailing dimensions.
Application trailing_norm(Sampler& s, int parameters) {
  const Type x = s.type(1, 4, false);
  const std::int64_t kept = s.random.below(x.rank());
  Application made{{s.data(x)}, {{"epsilon", 0.1}}, {}};
  for (int k = 0; k < parameters; ++k)
    made.operands.push_back(s.data(x.with_dims(x.dims().subspan(static_cast<std::size_t>(kept)))));
  return made;
}

Application channel_norm(Sampler& s, int parameters) {
  const Type x = s.type(2, 4, false);
  const std::int64_t axis = s.random.below(x.rank());
  Application made{{s.data(x)}, {{"axis", axis}, {"epsilon", 0.1}}, {}};
  const Type channel(s.dtype, {x.dim(static_cast<int>(axis))});
  for (int k = 0; k < parameters; ++k)
    made.operands.push_back(k == 3 ? s.data(channel, 0.5, 2) : s.data(channel));
  return made;
}

Application cross_entropy(Sampler& s) {
  const Type logits = s.type(1, 3, false);
  const std::int64_t classes = logits.dim(logits.rank() - 1).value();
  const Type labels(s.random.pick(std::vector<DType>{DType::i32, DType::i64}),
                    logits.dims().first(static_cast<std::size_t>(logits.rank() - 1)));
  // A label of 0 counts as ignored now and then; sums keep the loss finite when all are.
  return {{s.data(logits), s.integers(labels, 0, classes - 1)},
          {{"ignore_index", std::int64_t{s.random.chance(30) ? 0 : -100}},
           {"label_smoothing", s.random.chance(50) ? 0.0 : 0.1},
           {"reduction", s.random.pick(std::vector<std::string>{"none", "mean", "sum"})}},
          {}};
}

Application dropout(Sampler& s) {
  return {{s.data(s.type(0, 4)),
           random_literal(Type(DType::u32, {2}), Values::special, s.random.bits())},
          {{"rate", s.random.pick(std::vector<double>{0, 0.25, 0.5, 1})}},
          {}};
}

Application embedding(Sampler& s) {
  const Type table(s.dtype, {s.size(false), s.size()});
  const Type indices(s.random.pick(std::vector<DType>{DType::i32, DType::i64}), s.shape(0, 3));
  const std::int64_t rows = table.dim(0).value();
  return {
      {s.data(table), s.integers(indices, 0, rows - 1)}, {{"padding_index", std::int64_t{-1}}}, {}};
}

std::optional<Application> one_hot(Sampler& s) {
  if (!is_integer(s.dtype)) return std::nullopt;
  return Application{
      {s.integers(s.type(0, 3), 0, 5)},
      {{"classes", s.random.between(0, 6)},
       {"dtype", s.random.pick(std::vector<DType>{DType::f32, DType::i32, DType::bool_})}},
      {}};
}

Application pooling(Sampler& s) {
  const int spatial = static_cast<int>(s.random.between(1, 2));
  Dims dims = {Dim(s.random.between(1, 2))};
  for (int k = 0; k < spatial; ++k) dims.push_back(Dim(s.random.between(2, 7)));
  const bool last = s.random.chance(50);
  dims.insert(last ? dims.end() : dims.begin() + 1, Dim(s.random.between(1, 3)));
  return {{s.data(Type(s.dtype, dims))},
          {{"layout", std::string(last ? "channels_last" : "channels_first")},
           {"window", s.each(spatial, 1, 3)},
           {"strides", s.each(spatial, 1, 3)},
           {"padding_low", s.each(spatial, 0, 1)},
           {"padding_high", s.each(spatial, 0, 1)},
           {"dilations", s.each(spatial, 1, 2)}},
          {}};
}

Application avg_pool(Sampler& s) {
  Application made = pooling(s);
  // A window over nothing but padding has no mean without it.
  const bool padded = made.attributes.integers("padding_low") !=
                      Integers(made.attributes.integers("padding_low").size(), 0);
  made.attributes.set("count_include_pad", padded || s.random.chance(50));
  return made;
}

}  // namespace

void add_model_generators(Generators& generators) {
  for (std::string_view name : {"silu", "elu", "leaky_relu"}) generators.emplace(name, activation);
  for (std::string_view name : {"softmax", "log_softmax"}) generators.emplace(name, along_axis);
  for (std::string_view name : {"mean", "logsumexp"}) generators.emplace(name, over_axes);
  const Generators made = {{"gelu", gelu},
                           {"softplus", softplus},
                           {"clamp", clamp},
                           {"variance", variance},
                           {"layer_norm", [](Sampler& s) { return trailing_norm(s, 2); }},
                           {"rms_norm", [](Sampler& s) { return trailing_norm(s, 1); }},
                           {"batch_norm", [](Sampler& s) { return channel_norm(s, 2); }},
                           {"batch_norm_inference", [](Sampler& s) { return channel_norm(s, 4); }},
                           {"cross_entropy", cross_entropy},
                           {"dropout", dropout},
                           {"embedding", embedding},
                           {"one_hot", one_hot},
                           {"max_pool", pooling},
                           {"avg_pool", avg_pool}};
  generators.insert(made.begin(), made.end());
}

}  // namespace hyperion::testing_support

#include "ir/ops/convolution.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

Convolution::Convolution(const Attributes& attributes, int rank)
    : spatial(rank - 2),
      channels_last(attributes.text("layout") != "channels_first"),
      weights_innermost(attributes.text("layout") == "channels_innermost"),
      strides(attributes.integers("strides")),
      low(attributes.integers("padding_low")),
      high(attributes.integers("padding_high")),
      dilations(attributes.integers("dilations")),
      groups(attributes.integer("groups")) {}

int Convolution::lead(ConvTensor tensor) const {
  return channels_last && !weights_innermost && tensor == ConvTensor::weight ? spatial + 1 : 0;
}

int Convolution::channel(ConvTensor tensor) const {
  if (!channels_last) return 1;
  return tensor == ConvTensor::weight && !weights_innermost ? spatial : spatial + 1;
}

int Convolution::first_spatial(ConvTensor tensor) const {
  if (!channels_last) return 2;
  return tensor == ConvTensor::weight && !weights_innermost ? 0 : 1;
}

Type Convolution::type(ConvTensor tensor, DType dtype, Dim lead_size, Dim channel_size,
                       std::span<const Dim> spatial_sizes) const {
  Dims dims(at(spatial) + 2);
  dims[at(lead(tensor))] = lead_size;
  dims[at(channel(tensor))] = channel_size;
  std::ranges::copy(spatial_sizes, dims.begin() + first_spatial(tensor));
  return Type(dtype, dims);
}

Dims Convolution::spatial_sizes(ConvTensor tensor, Type type) const {
  const auto begin = type.dims().begin() + first_spatial(tensor);
  return Dims(begin, begin + spatial);
}

std::optional<Dim> Convolution::output_size(int k, Dim input, Dim kernel) const {
  if (!kernel.is_static() || kernel.value() < 1) return std::nullopt;
  const Dim last = input + Dim(low[at(k)]) + Dim(high[at(k)]) - Dim((kernel.value() - 1) * dilations[at(k)] + 1);
  if (last.is_static()) return last.value() < 0 ? Dim(0) : Dim(last.value() / strides[at(k)] + 1);
  if (strides[at(k)] != 1) return std::nullopt;
  return last + Dim(1);
}

std::vector<AttributeSpec> convolution_attributes() {
  return {{"layout", AttributeKind::text, "channels_first, channels_last or channels_innermost", AttributeValue(std::string("channels_first"))},
          {"strides", AttributeKind::integers, "distance of neighbouring output positions, per spatial axis", std::nullopt},
          {"padding_low", AttributeKind::integers, "zeros before the input, per spatial axis; negative crops", std::nullopt},
          {"padding_high", AttributeKind::integers, "zeros behind the input, per spatial axis; negative crops", std::nullopt},
          {"dilations", AttributeKind::integers, "distance of neighbouring kernel positions, per spatial axis", std::nullopt},
          {"groups", AttributeKind::integer, "channels split into this many independent convolutions",
           AttributeValue(std::int64_t{1})}};
}

std::vector<ConstraintSpec> convolution_constraints() {
  return {{"c1", "(C1) both operands have the same number type and the same rank, 3 to 5"},
          {"c2", "(C2) strides, padding and dilations have one entry per spatial axis, strides and dilations positive"},
          {"c3", "(C3) layout is channels_first, channels_last or channels_innermost, and groups is positive"},
          {"c4", "(C4) input channels are groups times the weights' input channels"},
          {"c5", "(C5) output channels are those of the weights, and a multiple of groups"},
          {"c6", "(C6) batch and spatial sizes of input, kernel and output belong together; kernels are not empty"}};
}

Result<> check_convolution(const InferContext& c) {
  const Type a = c.operands[0], b = c.operands[1];
  if (a.dtype() != b.dtype() || !numeric_dtype(a.dtype()) || a.rank() != b.rank() || a.rank() < 3 || a.rank() > 5) {
    return c.fail("c1", format("operands are {} and {}", a.text(), b.text()), {0, 1});
  }
  const std::string& layout = c.attributes.text("layout");
  const Convolution v(c.attributes, a.rank());
  const auto per_axis = [&](const Integers& list) { return std::ssize(list) == v.spatial; };
  const auto positive = [](const Integers& list) { return std::ranges::all_of(list, [](std::int64_t n) { return n > 0; }); };
  if (!per_axis(v.strides) || !per_axis(v.low) || !per_axis(v.high) || !per_axis(v.dilations) ||
      !positive(v.strides) || !positive(v.dilations)) {
    return c.fail("c2", format("strides {}, padding {} and {}, dilations {} do not fit {} spatial axes",
                               text(AttributeValue(v.strides)), text(AttributeValue(v.low)), text(AttributeValue(v.high)),
                               text(AttributeValue(v.dilations)), v.spatial));
  }
  if ((layout != "channels_first" && layout != "channels_last" && layout != "channels_innermost") || v.groups < 1) {
    return c.fail("c3", format("layout \"{}\" with {} groups", layout, v.groups));
  }
  return {};
}

Result<> check_members(const InferContext& c, Type input, Type weight, Type output) {
  const Convolution v(c.attributes, input.rank());
  const Dim channels = input.dim(v.channel(ConvTensor::input)), group_channels = weight.dim(v.channel(ConvTensor::weight));
  if (channels != group_channels * v.groups) {
    return c.fail("c4", format("{} input channels, but the weights have {} for each of {} groups", channels.text(),
                               group_channels.text(), v.groups),
                  {0, 1});
  }
  const Dim produced = weight.dim(v.lead(ConvTensor::weight)), expected = output.dim(v.channel(ConvTensor::output));
  if (produced != expected || !produced.divided_by(v.groups)) {
    return c.fail("c5", format("{} output channels, weights for {}, and {} groups", expected.text(), produced.text(), v.groups),
                  {0, 1});
  }
  const Dims in = v.spatial_sizes(ConvTensor::input, input), kernel = v.spatial_sizes(ConvTensor::weight, weight);
  const Dims out = v.spatial_sizes(ConvTensor::output, output);
  bool fits = input.dim(0) == output.dim(0);
  for (int k = 0; k < v.spatial; ++k) {
    const std::optional<Dim> size = v.output_size(k, in[at(k)], kernel[at(k)]);
    fits = fits && size && *size == out[at(k)];
  }
  if (fits) return {};
  return c.fail("c6", format("no convolution takes {} and {} to {}", input.text(), weight.text(), output.text()), {0, 1});
}

TermId guarded_chain(const DefineContext& c, std::span<const VariableId> bound, TermId guard, TermId a, TermId b) {
  TermPool& pool = c.pool;
  const DType dtype = c.operands[0].dtype(), carried = accumulation_dtype(dtype);
  const Scalar sum{&pool, pool.state(bound[0], 0, carried)};
  const Scalar step = fma(cast(Scalar{&pool, a}, carried), cast(Scalar{&pool, b}, carried), sum);
  const TermId total = pool.fold(bound, {pool.literal_integer(carried, 0)}, {pool.choose(guard, step.id, sum.id)}, 0);
  return cast(Scalar{&pool, total}, dtype).id;
}

// ---- the trio on values ---------------------------------------------------------------------------------------

namespace {

Attributes without_shape(const Attributes& attributes) {
  Attributes plain = attributes;
  plain.erase("shape");
  return plain;
}

Attributes with_shape(const Attributes& attributes, ConvTensor tensor, Type type) {
  Attributes shaped = attributes;
  shaped.set("shape", Convolution(attributes, type.rank()).spatial_sizes(tensor, type));
  return shaped;
}

}  // namespace

Value conv(Builder& b, const Attributes& attributes, Value input, Value weight) {
  return b.apply("conv", {input, weight}, without_shape(attributes));
}

Value conv_input_gradient(Builder& b, const Attributes& attributes, Value output, Value weight, Type input) {
  return b.apply("conv_input_gradient", {output, weight}, with_shape(attributes, ConvTensor::input, input));
}

Value conv_weight_gradient(Builder& b, const Attributes& attributes, Value input, Value output, Type weight) {
  return b.apply("conv_weight_gradient", {input, output}, with_shape(attributes, ConvTensor::weight, weight));
}

// ---- batching -------------------------------------------------------------------------------------------------

namespace {

// Each of the form's sums runs over an index that two tensors share: N (input, output), input channels of a group
// (input, weight), output channels of a group (weight, output); the group itself all three share. A batch axis of one
// operand joins the index it shares with the result; a batch axis of both operands joins the group.
enum class SharedIndex : std::uint8_t { batch, input_channel, output_channel, group };

SharedIndex shared_index(ConvTensor a, ConvTensor b) {
  if (a != ConvTensor::weight && b != ConvTensor::weight) return SharedIndex::batch;
  if (a != ConvTensor::output && b != ConvTensor::output) return SharedIndex::input_channel;
  return SharedIndex::output_channel;
}

// The axis of `tensor` that holds the index, and how many groups stand outside of it on that axis.
struct Place {
  int axis;
  std::int64_t outside;
};

Place place_of(const Convolution& v, ConvTensor tensor, SharedIndex index) {
  switch (index) {
    case SharedIndex::batch: return {0, 1};
    case SharedIndex::input_channel: return {v.channel(tensor), tensor == ConvTensor::weight ? 1 : v.groups};
    case SharedIndex::output_channel: return {v.output_channel(tensor), v.groups};
    case SharedIndex::group: return {v.output_channel(tensor), 1};
  }
  return {0, 1};
}

// [B, ..., outside * rest, ...] -> [..., outside * B * rest, ...]
Value merge_batch(Value x, Place place) {
  Builder& b = *x.builder;
  Dims dims = dims_of(x.type());
  const Dim batch = dims[0], whole = dims[at(place.axis + 1)];
  const Dim rest = *whole.divided_by(place.outside);
  Dims split = dims;
  split[at(place.axis + 1)] = Dim(place.outside);
  split = inserted(split, place.axis + 2, rest);
  dims.erase(dims.begin());
  dims[at(place.axis)] = Dim(whole.value() * batch.value());
  return b.reshape(move_axis(b.reshape(x, split), 0, place.axis + 1), dims);
}

// The opposite.
Value split_batch(Value x, Place place, Dim batch) {
  Builder& b = *x.builder;
  Dims dims = dims_of(x.type());
  const std::int64_t count = dims[at(place.axis)].value();
  const std::int64_t size = batch.value() == 0 ? 0 : count / batch.value();
  Dims split = dims;
  split[at(place.axis)] = Dim(place.outside);
  split = inserted(split, place.axis + 1, batch);
  split = inserted(split, place.axis + 2, Dim(size / place.outside));
  dims[at(place.axis)] = Dim(size);
  return b.reshape(move_axis(b.reshape(x, split), place.axis + 1, 0), inserted(dims, 0, batch));
}

}  // namespace

std::vector<Value> batch_convolution(BatchContext& c, ConvTensor first, ConvTensor second, ConvTensor result) {
  const bool both = c.is_batched(0) && c.is_batched(1);
  const ConvTensor carrier = c.is_batched(0) ? first : second;
  const Convolution v(c.attributes, c.operand(0).rank() - (c.is_batched(0) ? 1 : 0));
  const SharedIndex index = both ? SharedIndex::group : shared_index(carrier, result);
  Value a = c.operand(0), b = c.operand(1);
  if (c.is_batched(0)) a = merge_batch(a, place_of(v, first, index));
  if (c.is_batched(1)) b = merge_batch(b, place_of(v, second, index));
  Attributes attributes = c.attributes;
  if (both) attributes.set("groups", v.groups * c.size.value());
  const Value merged = c.builder.apply(c.definition.name, {a, b}, std::move(attributes));
  return only(split_batch(merged, place_of(v, result, index), c.size));
}

}  // namespace hyperion::ir::ops

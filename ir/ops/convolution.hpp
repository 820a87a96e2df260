// convolution.hpp: the common ground of conv, conv_input_gradient and conv_weight_gradient.
//
// The three ops are the gradients of one trilinear form
//
//   T(x, w, y) = sum x[n, g*Ci + c, q] * w[g*Co + o, c, k] * y[n, g*Co + o, p]     q = p * stride + k * dilation - low
//
// over batch n, group g, input channel c and output channel o of the group (Ci and Co of each), kernel position k and
// output position p, wherever q is within x. conv is its gradient with respect to y, conv_input_gradient with respect
// to x, conv_weight_gradient with respect to w; so transposing one of them gives another, and the trio is closed.
//
// Layouts. "channels_first": x [N, C, spatial...], w [O, I, kernel...], y [N, O, spatial...].
//          "channels_last":  x [N, spatial..., C], w [kernel..., I, O], y [N, spatial..., O].
//          "channels_innermost": the same with w [O, kernel..., I], as libraries for GPUs keep their weights.
// I is the number of input channels of a group, C / groups. There are 1 to 3 spatial axes.
#pragma once

#include <string_view>

#include "ir/ops/shapes.hpp"

namespace hyperion::ir::ops {

enum class ConvTensor : std::uint8_t { input, weight, output };

struct Convolution {
  int spatial;  // how many spatial axes
  bool channels_last;
  bool weights_innermost;  // then their channels are last as well
  const Integers& strides;
  const Integers& low;  // padding before the first element, per spatial axis
  const Integers& high;
  const Integers& dilations;
  std::int64_t groups;

  Convolution(const Attributes& attributes, int rank);

  // Where the axes of a tensor stand. `lead` is N, or O of the weights; `channel` is C, O of the output, I of the weights.
  int lead(ConvTensor tensor) const;
  int channel(ConvTensor tensor) const;
  int first_spatial(ConvTensor tensor) const;
  int output_channel(ConvTensor tensor) const { return tensor == ConvTensor::weight ? lead(tensor) : channel(tensor); }
  Type type(ConvTensor tensor, DType dtype, Dim lead_size, Dim channel_size, std::span<const Dim> spatial_sizes) const;
  Dims spatial_sizes(ConvTensor tensor, Type type) const;

  // Output size along spatial axis k for this input and kernel size, if it is a number that exists.
  std::optional<Dim> output_size(int k, Dim input, Dim kernel) const;
};

// ---- what the three definitions are made of -------------------------------------------------------------------

std::vector<AttributeSpec> convolution_attributes();
std::vector<ConstraintSpec> convolution_constraints();
// (C1) to (C3): dtypes, rank and attribute lists fit together. The result is the element type.
Result<> check_convolution(const InferContext& c);
// (C4) to (C6): the three types belong to one convolution.
Result<> check_members(const InferContext& c, Type input, Type weight, Type output);
// One fma chain from 0 in the accumulation dtype over `bound`, skipping steps where `guard` is false.
TermId guarded_chain(const DefineContext& c, std::span<const VariableId> bound, TermId guard, TermId a, TermId b);

// The batching rule of all three. `operands` and `result`: which tensors they are.
std::vector<Value> batch_convolution(BatchContext& c, ConvTensor first, ConvTensor second, ConvTensor result);

// The other members of the trio on these values; `attributes` of any of them.
Value conv(Builder& b, const Attributes& attributes, Value input, Value weight);
Value conv_input_gradient(Builder& b, const Attributes& attributes, Value output, Value weight, Type input);
Value conv_weight_gradient(Builder& b, const Attributes& attributes, Value input, Value output, Type weight);

}  // namespace hyperion::ir::ops

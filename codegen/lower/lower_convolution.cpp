// conv and its two gradients, with maps that compute their operands and an elementwise epilogue, become one `convolve`.
//
// All three are the same sum with the roles of the tensors exchanged (ir/ops/convolution.hpp): what slides, what stands
// for the weights, what is summed over. The order of each sum is that of the op's definition.
#include <algorithm>

#include "codegen/lower/anchored_kernel.hpp"
#include "codegen/lower/lower_anchor.hpp"
#include "ir/ops/convolution.hpp"

namespace hyperion::codegen {
namespace {

using ir::Integers;
using ir::Op;
using ir::TermId;
using ir::TermPool;
using ir::ops::Convolution;
using ir::ops::ConvTensor;

// One of the tensors x, w, y of the trilinear form: its sizes and strides by role. One spatial axis has a height of 1.
struct Tensor {
  std::int64_t lead_size, channel_size, lead, channel;  // lead: batch, or output channels of the weights
  std::int64_t height_size = 1, width_size = 1, height = 0, width = 0;

  Tensor(const Convolution& v, ConvTensor role, Type type) {
    const std::vector<std::int64_t> sizes = type.sizes(), strides = type.strides();
    const auto at = [](int axis) { return static_cast<std::size_t>(axis); };
    lead_size = sizes[at(v.lead(role))];
    channel_size = sizes[at(v.channel(role))];
    lead = strides[at(v.lead(role))];
    channel = strides[at(v.channel(role))];
    const int last = v.first_spatial(role) + v.spatial - 1;
    width_size = sizes[at(last)];
    width = strides[at(last)];
    if (v.spatial == 2) {
      height_size = sizes[at(last - 1)];
      height = strides[at(last - 1)];
    }
  }
};

struct Axis {
  std::int64_t output, kernel, input, stride, dilation, input_dilation, padding, lhs, rhs;
  Integers list() const { return {output, kernel, input, stride, dilation, input_dilation, padding, lhs, rhs}; }
};

struct Problem {
  std::int64_t batch, groups, in_channels, out_channels;
  Axis height, width;
  Integers lhs, rhs, output;  // as the attributes of convolve
};

struct Rule {  // of one spatial axis, of the forward convolution
  std::int64_t stride = 1, dilation = 1, padding = 0;
};

Rule rule(const Convolution& v, bool is_height) {
  if (is_height && v.spatial == 1) return {};
  const auto d = static_cast<std::size_t>(is_height ? 0 : v.spatial - 1);
  return {v.strides[d], v.dilations[d], v.low[d]};
}

Problem forward(const Convolution& v, Type x_type, Type w_type, Type y_type) {
  const Tensor x(v, ConvTensor::input, x_type), w(v, ConvTensor::weight, w_type), y(v, ConvTensor::output, y_type);
  const std::int64_t in = x.channel_size / v.groups, out = y.channel_size / v.groups;
  const Rule h = rule(v, true), r = rule(v, false);
  return {.batch = x.lead_size, .groups = v.groups, .in_channels = in, .out_channels = out,
          .height = {y.height_size, w.height_size, x.height_size, h.stride, h.dilation, 1, h.padding, x.height, w.height},
          .width = {y.width_size, w.width_size, x.width_size, r.stride, r.dilation, 1, r.padding, x.width, w.width},
          .lhs = {x.lead, in * x.channel, x.channel, 0},
          .rhs = {out * w.lead, w.channel, w.lead, 0},
          .output = {y.lead, out * y.channel, y.height, y.width, y.channel}};
}

// Windows slide over y; kernel positions are taken from the last to the first.
Problem input_gradient(const Convolution& v, Type x_type, Type w_type, Type y_type) {
  const Tensor x(v, ConvTensor::input, x_type), w(v, ConvTensor::weight, w_type), y(v, ConvTensor::output, y_type);
  const std::int64_t in = x.channel_size / v.groups, out = y.channel_size / v.groups;
  const auto axis = [](Rule f, std::int64_t kernel, std::int64_t x_size, std::int64_t y_size, std::int64_t y_stride,
                       std::int64_t w_stride) -> Axis {
    return {x_size, kernel, y_size, 1, f.dilation, f.stride, (kernel - 1) * f.dilation - f.padding, y_stride, -w_stride};
  };
  const std::int64_t last_position = (w.height_size - 1) * w.height + (w.width_size - 1) * w.width;
  return {.batch = y.lead_size, .groups = v.groups, .in_channels = out, .out_channels = in,
          .height = axis(rule(v, true), w.height_size, x.height_size, y.height_size, y.height, w.height),
          .width = axis(rule(v, false), w.width_size, x.width_size, y.width_size, y.width, w.width),
          .lhs = {y.lead, out * y.channel, y.channel, 0},
          .rhs = {out * w.lead, w.lead, w.channel, last_position},
          .output = {x.lead, in * x.channel, x.height, x.width, x.channel}};
}

// Positions of y are the kernel, the batch is what is summed inside, input channels are the batch.
Problem weight_gradient(const Convolution& v, Type x_type, Type w_type, Type y_type) {
  const Tensor x(v, ConvTensor::input, x_type), w(v, ConvTensor::weight, w_type), y(v, ConvTensor::output, y_type);
  const auto axis = [](Rule f, std::int64_t kernel, std::int64_t x_size, std::int64_t y_size, std::int64_t x_stride,
                       std::int64_t y_stride) -> Axis {
    return {kernel, y_size, x_size, f.dilation, f.stride, 1, f.padding, x_stride, y_stride};
  };
  return {.batch = x.channel_size, .groups = 1, .in_channels = x.lead_size, .out_channels = y.channel_size,
          .height = axis(rule(v, true), w.height_size, x.height_size, y.height_size, x.height, y.height),
          .width = axis(rule(v, false), w.width_size, x.width_size, y.width_size, x.width, y.width),
          .lhs = {x.channel, 0, x.lead, 0},
          .rhs = {0, y.lead, y.channel, 0},
          .output = {w.channel, 0, w.height, w.width, w.lead}};
}

struct Member {
  ConvTensor result;
  Problem problem;
};

std::optional<Member> member(const ir::Function& group, const Op& op) {
  const Type a = group.type(op.operands[0]), b = group.type(op.operands[1]), r = group.type(op.results[0]);
  const Convolution v(op.attributes, r.rank());
  if (v.spatial > 2) return std::nullopt;
  if (op.is("conv")) return Member{ConvTensor::output, forward(v, a, b, r)};
  if (op.is("conv_input_gradient")) return Member{ConvTensor::input, input_gradient(v, r, b, a)};
  if (op.is("conv_weight_gradient") && v.groups == 1) return Member{ConvTensor::weight, weight_gradient(v, a, r, b)};
  return std::nullopt;
}

// The result's indices from the body's: batch = image * height + row of the image, row = position, column = channel.
std::vector<TermId> result_indices(TermPool& pool, const Convolution& v, const Member& m, int rank, TermId batch,
                                   TermId row, TermId column) {
  std::vector<TermId> indices(static_cast<std::size_t>(rank));
  const auto put = [&](int axis, TermId index) { indices[static_cast<std::size_t>(axis)] = index; };
  const std::int64_t height = std::max<std::int64_t>(m.problem.height.output, 1);
  const TermId image = pool.divide(batch, height);
  // The batch of a weight gradient are the input channels, and its columns the output channels.
  const bool is_weight = m.result == ConvTensor::weight;
  put(v.lead(m.result), is_weight ? column : image);
  put(v.channel(m.result), is_weight ? image : column);
  const int last = v.first_spatial(m.result) + v.spatial - 1;
  put(last, row);
  if (v.spatial == 2) put(last - 1, pool.modulo(batch, height));
  return indices;
}

// The indices of what windows slide over, x or y: batch = image * height + row of the image, row = position in it, depth =
// channel over all groups.
std::vector<TermId> lhs_indices(TermPool& pool, const Convolution& v, const Member& m,
                                const std::array<TermId, 3>& at) {
  const ConvTensor role = m.result == ConvTensor::input ? ConvTensor::output : ConvTensor::input;
  std::vector<TermId> indices(static_cast<std::size_t>(v.spatial) + 2);
  const auto put = [&](int axis, TermId index) { indices[static_cast<std::size_t>(axis)] = index; };
  const std::int64_t height = std::max<std::int64_t>(m.problem.height.input, 1);
  put(v.lead(role), pool.divide(at[0], height));
  put(v.channel(role), at[2]);
  const int last = v.first_spatial(role) + v.spatial - 1;
  put(last, at[1]);
  if (v.spatial == 2) put(last - 1, pool.modulo(at[0], height));
  return indices;
}

// The indices of the weights: batch = row * width + column of the kernel, which an input gradient walks from the end,
// depth = channel summed over in its group, column = channel of the result over all groups.
std::vector<TermId> weight_indices(TermPool& pool, const Convolution& v, const Member& m,
                                   const std::array<TermId, 3>& at) {
  const Problem& p = m.problem;
  std::vector<TermId> indices(static_cast<std::size_t>(v.spatial) + 2);
  const auto put = [&](int axis, TermId index) { indices[static_cast<std::size_t>(axis)] = index; };
  const bool is_gradient = m.result == ConvTensor::input;
  if (is_gradient) {
    const std::int64_t columns = std::max<std::int64_t>(p.out_channels, 1);
    put(v.lead(ConvTensor::weight), pool.add(pool.scale(pool.divide(at[2], columns), p.in_channels), at[1]));
    put(v.channel(ConvTensor::weight), pool.modulo(at[2], columns));
  } else {
    put(v.lead(ConvTensor::weight), at[2]);
    put(v.channel(ConvTensor::weight), at[1]);
  }
  const auto tap = [&](TermId index, const Axis& axis) {
    return is_gradient ? pool.add(pool.index(Dim(axis.kernel - 1)), pool.scale(index, -1)) : index;
  };
  const std::int64_t width = std::max<std::int64_t>(p.width.kernel, 1);
  const int last = v.first_spatial(ConvTensor::weight) + v.spatial - 1;
  put(last, tap(pool.modulo(at[0], width), p.width));
  if (v.spatial == 2) put(last - 1, tap(pool.divide(at[0], width), p.height));
  return indices;
}

Lowered lower_convolve(const ir::Function& group, const Op& op, const Member& m, const LoweringTarget& target) {
  const int rank = group.type(op.results[0]).rank();
  const Convolution v(op.attributes, rank);
  const Problem& p = m.problem;
  const DType sum = accumulation_dtype(group.type(op.operands[0]).dtype());
  const int lanes = target.vector_bytes / static_cast<int>(byte_size(sum));
  Lowered out = begin_anchored_kernel(group);
  // Lanes of a map run along channels that are summed over where these are adjacent.
  const std::size_t lhs_lanes = p.lhs[2] == 1 ? 2 : 1;
  const std::size_t rhs_lanes = p.rhs[1] == 1 && p.rhs[2] != 1 ? 1 : 2;
  const AnchorPlan plan{
      .group = group,
      .anchor = op,
      .lanes = lanes,
      .result = {.extents = {p.batch * p.height.output, p.width.output, p.groups * p.out_channels},
                 .indices = [&](TermPool& pool, const std::array<TermId, 3>& at) {
                   return result_indices(pool, v, m, rank, at[0], at[1], at[2]);
                 }},
      .factors = {{{.place = {.extents = {p.batch * p.height.input, p.width.input, p.groups * p.in_channels},
                              .indices = [&](TermPool& pool, const std::array<TermId, 3>& at) {
                                return lhs_indices(pool, v, m, at);
                              }},
                    .lanes_along = lhs_lanes},
                   {.place = {.extents = {p.height.kernel * p.width.kernel, p.in_channels, p.groups * p.out_channels},
                              .indices = [&](TermPool& pool, const std::array<TermId, 3>& at) {
                                return weight_indices(pool, v, m, at);
                              }},
                    .lanes_along = rhs_lanes}}}};
  write_anchored_kernel(out, plan, "convolve",
                        {{"extents", Integers{p.batch, p.groups, p.in_channels, p.out_channels}},
                         {"height", p.height.list()},
                         {"width", p.width.list()},
                         {"lhs", p.lhs},
                         {"rhs", p.rhs},
                         {"output", p.output},
                         {"lanes", std::int64_t{lanes}}});
  const std::int64_t elements = p.batch * p.height.output * p.width.output * p.groups * p.out_channels;
  out.flops += 2 * static_cast<std::uint64_t>(elements) *
              static_cast<std::uint64_t>(p.height.kernel * p.width.kernel * p.in_channels);
  return out;
}

}  // namespace

std::optional<Lowered> lower_convolution(const ir::Function& group, const LoweringTarget& target) {
  for (ir::OpId id : group.ops()) {
    const Op& op = group.op(id);
    if (op.definition->anchor != ir::Anchor::contraction || op.is("dot")) continue;
    if (!has_packed_kernel(group.type(op.operands[0]).dtype())) return std::nullopt;
    if (group.type(op.results[0]).element_count() == 0) return std::nullopt;  // nothing to sum
    const std::optional<Member> found = member(group, op);
    if (!found) return std::nullopt;
    // What a weight gradient is asked for has no place among its images' rows.
    const bool is_computed = std::ranges::any_of(op.operands, [&](ir::ValueId operand) {
      return group.producer(operand) != nullptr;
    });
    if (is_computed && found->result == ConvTensor::weight) return std::nullopt;
    return lower_convolve(group, op, *found, target);
  }
  return std::nullopt;
}

}  // namespace hyperion::codegen

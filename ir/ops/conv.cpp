// conv.cpp: convolution (cross-correlation, as in every deep-learning library), 1 to 3 spatial axes.
//
//   out[n, g*Co + o, p] = sum[k..., c] x[n, g*Ci + c, q] * w[g*Co + o, c, k]      q = p * stride + k * dilation - low
//
// Layouts, groups and names: ir/ops/convolution.hpp. Order and rounding are part of the meaning: every element is one
// chain acc = fma(x, w, acc) from 0 in the accumulation dtype (f32 for 16- and 8-bit floats), over the kernel positions
// in row-major order, and within a position over the input channels of the group, ascending; rounded once at the end.
// Where q is outside of the input the step is skipped: padding adds nothing, not even the sign of a zero.
#include "ir/ops/convolution.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_conv(const InferContext& c) {
  using enum ConvTensor;
  HYP_TRY_VOID(check_convolution(c));
  const Type x = c.operands[0], w = c.operands[1];
  const Convolution v(c.attributes, x.rank());
  const Dims in = v.spatial_sizes(input, x), kernel = v.spatial_sizes(weight, w);
  Dims out;
  for (int k = 0; k < v.spatial; ++k) out.push_back(v.output_size(k, in[at(k)], kernel[at(k)]).value_or(Dim(0)));
  const Type result = v.type(output, x.dtype(), x.dim(0), w.dim(v.lead(weight)), out);
  HYP_TRY_VOID(check_members(c, x, w, result));
  return std::vector{result};
}

std::vector<Lambda> define_conv(const DefineContext& c) {
  using enum ConvTensor;
  TermPool& pool = c.pool;
  const Type x = c.operands[0], w = c.operands[1];
  const Convolution v(c.attributes, x.rank());
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> out = index_terms(pool, variables);
  Dims extents = v.spatial_sizes(weight, w);
  extents.push_back(w.dim(v.channel(weight)));
  const std::vector<VariableId> bound = pool.variables(extents);  // k..., c
  const TermId o = out[at(v.channel(output))], channel = pool.index(bound.back());
  const std::int64_t group_inputs = w.dim(v.channel(weight)).value();
  const std::int64_t group_outputs = w.dim(v.lead(weight)).value() / v.groups;
  std::vector<TermId> at_x(at(x.rank())), at_w(at(w.rank()));
  at_x[0] = out[0];
  const TermId group = pool.divide(o, std::max<std::int64_t>(group_outputs, 1));
  at_x[at(v.channel(input))] = pool.add(pool.scale(group, group_inputs), channel);
  at_w[at(v.lead(weight))] = o;
  at_w[at(v.channel(weight))] = channel;
  TermId inside = pool.truth(true);
  for (int d = 0; d < v.spatial; ++d) {
    const TermId k = pool.index(bound[at(d)]), p = out[at(v.first_spatial(output) + d)];
    const TermId q = pool.add(pool.add(pool.scale(p, v.strides[at(d)]), pool.scale(k, v.dilations[at(d)])),
                              pool.index(Dim(-v.low[at(d)])));
    at_x[at(v.first_spatial(input) + d)] = q;
    at_w[at(v.first_spatial(weight) + d)] = k;
    inside = pool.both(inside, pool.in_range(q, x.dim(v.first_spatial(input) + d)));
  }
  return {{variables, guarded_chain(c, bound, inside, c.access(0, std::move(at_x)), c.access(1, std::move(at_w)))}};
}

}  // namespace

OpDefinition op_conv() {
  OpDefinition op;
  op.name = "conv";
  op.group = OpGroup::contraction;
  op.doc = "Convolution over 1 to 3 spatial axes, with strides, padding, dilations and groups; one fma chain per "
           "element: kernel positions row-major, then input channels.";
  op.operands = {{.name = "x", .doc = "the input", .linear = true}, {.name = "w", .doc = "the weights", .linear = true}};
  op.attributes = convolution_attributes();
  op.constraints = convolution_constraints();
  op.anchor = Anchor::contraction;
  op.infer = infer_conv;
  op.define = define_conv;
  op.linearity = Linearity::separately;
  op.transpose = [](TransposeContext& c) {
    return std::vector{
        c.is_linear(0) ? conv_input_gradient(c.builder, c.attributes, c.cotangent(), c.operand(1), c.type(0)) : Value{},
        c.is_linear(1) ? conv_weight_gradient(c.builder, c.attributes, c.operand(0), c.cotangent(), c.type(1)) : Value{}};
  };
  op.batch = [](BatchContext& c) {
    return batch_convolution(c, ConvTensor::input, ConvTensor::weight, ConvTensor::output);
  };
  op.example = "conv %x, %w {dilations = [1, 1], padding_high = [1, 1], padding_low = [1, 1], strides = [1, 1]}";
  return op;
}

}  // namespace hyperion::ir::ops

// conv_input_gradient.cpp: the transpose of conv in its input; also known as transposed convolution.
//
//   out[n, g*Ci + c, q] = sum[k..., o] y[n, g*Co + o, p] * w[g*Co + o, c, k]      q = p * stride + k * dilation - low
//
// Layouts, groups and names: ir/ops/convolution.hpp. Every element is one chain acc = fma(y, w, acc) from 0 in the
// accumulation dtype, over the kernel positions from the last to the first, and within one over the output channels of
// the group, ascending; rounded once at the end. Kernel positions without a whole p within y are skipped.
#include "ir/ops/convolution.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_conv_input_gradient(const InferContext& c) {
  using enum ConvTensor;
  HYP_TRY_VOID(check_convolution(c));
  const Type y = c.operands[0], w = c.operands[1];
  const Convolution v(c.attributes, y.rank());
  const Dims& shape = c.attributes.dims("shape");
  if (std::ssize(shape) != v.spatial || !is_shape(shape)) {
    return c.fail("c7", format("{} are not {} sizes", text(AttributeValue(shape)), v.spatial));
  }
  const Type result = v.type(input, y.dtype(), y.dim(0), w.dim(v.channel(weight)) * v.groups, shape);
  HYP_TRY_VOID(check_members(c, result, w, y));
  return std::vector{result};
}

std::vector<Lambda> define_conv_input_gradient(const DefineContext& c) {
  using enum ConvTensor;
  TermPool& pool = c.pool;
  const Type y = c.operands[0], w = c.operands[1];
  const Convolution v(c.attributes, y.rank());
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> out = index_terms(pool, variables);
  const std::int64_t group_inputs = w.dim(v.channel(weight)).value();
  const std::int64_t group_outputs = w.dim(v.lead(weight)).value() / v.groups;
  Dims extents = v.spatial_sizes(weight, w);
  extents.push_back(Dim(group_outputs));
  const std::vector<VariableId> bound = pool.variables(extents);  // k..., o
  const TermId channel = out[at(v.channel(input))];
  const std::int64_t per_group = std::max<std::int64_t>(group_inputs, 1);
  const TermId o = pool.add(pool.scale(pool.divide(channel, per_group), group_outputs), pool.index(bound.back()));
  std::vector<TermId> at_y(at(y.rank())), at_w(at(w.rank()));
  at_y[0] = out[0];
  at_y[at(v.channel(output))] = o;
  at_w[at(v.lead(weight))] = o;
  at_w[at(v.channel(weight))] = v.groups == 1 ? channel : pool.modulo(channel, per_group);
  TermId exists = pool.truth(true);
  for (int d = 0; d < v.spatial; ++d) {
    // Descending kernel positions are ascending positions of y: the order in which memory is read.
    const Dim last = w.dim(v.first_spatial(weight) + d) - Dim(1);
    const TermId k = pool.subtract(pool.index(last), pool.index(bound[at(d)]));
    const TermId q = out[at(v.first_spatial(input) + d)];
    const TermId reached = pool.subtract(pool.add(q, pool.index(Dim(v.low[at(d)]))), pool.scale(k, v.dilations[at(d)]));
    const TermId p = pool.divide(reached, v.strides[at(d)]);
    at_y[at(v.first_spatial(output) + d)] = p;
    at_w[at(v.first_spatial(weight) + d)] = k;
    const TermId within = pool.in_range(p, y.dim(v.first_spatial(output) + d));
    exists = pool.both(exists, pool.both(pool.divides(v.strides[at(d)], reached), within));
  }
  return {{variables, guarded_chain(c, bound, exists, c.access(0, std::move(at_y)), c.access(1, std::move(at_w)))}};
}

}  // namespace

OpDefinition op_conv_input_gradient() {
  OpDefinition op;
  op.name = "conv_input_gradient";
  op.group = OpGroup::contraction;
  op.doc = "The gradient of conv with respect to its input (transposed convolution); one fma chain per element: kernel "
           "positions from the last to the first, then output channels.";
  op.operands = {{.name = "y", .doc = "the gradient of conv's result", .linear = true},
                 {.name = "w", .doc = "the weights", .linear = true}};
  op.attributes = convolution_attributes();
  op.attributes.push_back({"shape", AttributeKind::dims, "the spatial sizes of the result", std::nullopt});
  op.constraints = convolution_constraints();
  op.constraints.push_back({"c7", "(C7) shape has one size per spatial axis"});
  op.anchor = Anchor::contraction;
  op.infer = infer_conv_input_gradient;
  op.define = define_conv_input_gradient;
  op.linearity = Linearity::separately;
  op.transpose = [](TransposeContext& c) {
    return std::vector{
        c.is_linear(0) ? conv(c.builder, c.attributes, c.cotangent(), c.operand(1)) : Value{},
        c.is_linear(1) ? conv_weight_gradient(c.builder, c.attributes, c.cotangent(), c.operand(0), c.type(1)) : Value{}};
  };
  op.batch = [](BatchContext& c) {
    return batch_convolution(c, ConvTensor::output, ConvTensor::weight, ConvTensor::input);
  };
  op.example = "conv_input_gradient %y, %w {dilations = [1], padding_high = [0], padding_low = [0], shape = [9], strides = [2]}";
  return op;
}

}  // namespace hyperion::ir::ops

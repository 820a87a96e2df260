// conv_weight_gradient.cpp: the transpose of conv in its weights.
//
//   out[g*Co + o, c, k] = sum[n, p...] x[n, g*Ci + c, q] * y[n, g*Co + o, p]      q = p * stride + k * dilation - low
//
// Layouts, groups and names: ir/ops/convolution.hpp. Every element is one chain acc = fma(x, y, acc) from 0 in the
// accumulation dtype, over the output positions in row-major order, and within a position over the batch, ascending;
// rounded once at the end. Positions whose q is outside of the input are skipped.
#include "ir/ops/convolution.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_conv_weight_gradient(const InferContext& c) {
  using enum ConvTensor;
  HYP_TRY_VOID(check_convolution(c));
  const Type x = c.operands[0], y = c.operands[1];
  const Convolution v(c.attributes, x.rank());
  const Dims& shape = c.attributes.dims("shape");
  if (std::ssize(shape) != v.spatial || !is_shape(shape)) {
    return c.fail("c7", format("{} are not {} sizes", text(AttributeValue(shape)), v.spatial));
  }
  const std::optional<Dim> group_inputs = x.dim(v.channel(input)).divided_by(v.groups);
  const Type result = v.type(weight, x.dtype(), y.dim(v.channel(output)), group_inputs.value_or(Dim(0)), shape);
  HYP_TRY_VOID(check_members(c, x, result, y));
  return std::vector{result};
}

std::vector<Lambda> define_conv_weight_gradient(const DefineContext& c) {
  using enum ConvTensor;
  TermPool& pool = c.pool;
  const Type x = c.operands[0], y = c.operands[1];
  const Convolution v(c.attributes, x.rank());
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> out = index_terms(pool, variables);
  const std::int64_t group_inputs = x.dim(v.channel(input)).value() / v.groups;
  const std::int64_t group_outputs = y.dim(v.channel(output)).value() / v.groups;
  Dims extents = v.spatial_sizes(output, y);
  extents.push_back(x.dim(0));
  const std::vector<VariableId> bound = pool.variables(extents);  // p..., n
  const TermId o = out[at(v.lead(weight))];
  const TermId group = pool.divide(o, std::max<std::int64_t>(group_outputs, 1));
  std::vector<TermId> at_x(at(x.rank())), at_y(at(y.rank()));
  at_x[0] = at_y[0] = pool.index(bound.back());
  at_x[at(v.channel(input))] = pool.add(pool.scale(group, group_inputs), out[at(v.channel(weight))]);
  at_y[at(v.channel(output))] = o;
  TermId inside = pool.truth(true);
  for (int d = 0; d < v.spatial; ++d) {
    const TermId p = pool.index(bound[at(d)]), k = out[at(v.first_spatial(weight) + d)];
    const TermId q = pool.add(pool.add(pool.scale(p, v.strides[at(d)]), pool.scale(k, v.dilations[at(d)])),
                              pool.index(Dim(-v.low[at(d)])));
    at_x[at(v.first_spatial(input) + d)] = q;
    at_y[at(v.first_spatial(output) + d)] = p;
    inside = pool.both(inside, pool.in_range(q, x.dim(v.first_spatial(input) + d)));
  }
  return {{variables, guarded_chain(c, bound, inside, c.access(0, std::move(at_x)), c.access(1, std::move(at_y)))}};
}

}  // namespace

OpDefinition op_conv_weight_gradient() {
  OpDefinition op;
  op.name = "conv_weight_gradient";
  op.group = OpGroup::contraction;
  op.doc = "The gradient of conv with respect to its weights; one fma chain per element: output positions row-major, "
           "then batch.";
  op.operands = {{.name = "x", .doc = "the input of conv", .linear = true},
                 {.name = "y", .doc = "the gradient of conv's result", .linear = true}};
  op.attributes = convolution_attributes();
  op.attributes.push_back({"shape", AttributeKind::dims, "the spatial sizes of the kernel", std::nullopt});
  op.constraints = convolution_constraints();
  op.constraints.push_back({"c7", "(C7) shape has one size per spatial axis"});
  op.anchor = Anchor::contraction;
  op.infer = infer_conv_weight_gradient;
  op.define = define_conv_weight_gradient;
  op.linearity = Linearity::separately;
  op.transpose = [](TransposeContext& c) {
    return std::vector{
        c.is_linear(0) ? conv_input_gradient(c.builder, c.attributes, c.operand(1), c.cotangent(), c.type(0)) : Value{},
        c.is_linear(1) ? conv(c.builder, c.attributes, c.operand(0), c.cotangent()) : Value{}};
  };
  op.batch = [](BatchContext& c) {
    return batch_convolution(c, ConvTensor::input, ConvTensor::output, ConvTensor::weight);
  };
  op.example = "conv_weight_gradient %x, %y {dilations = [1], padding_high = [0], padding_low = [0], shape = [3], strides = [1]}";
  return op;
}

}  // namespace hyperion::ir::ops

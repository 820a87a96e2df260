// convolve.cpp: kernel level: conv or one of its gradients in registers, with an epilogue.
//
//   acc[n, g, oh, ow, o] = sum over th, tw, c of lhs[n, g, ih, iw, c] * rhs[g, th, tw, c, o]
//
// as one ascending fma chain per element over (th, tw, c), where along each axis
// (output o, kernel t): o * stride + t * dilation - padding = i * input_dilation with 0 <= i < input; taps without such
// an i are skipped. An axis is [output, kernel, input, stride, dilation, input_dilation, padding, step in lhs, step in rhs].
// Strides count elements of the operand's buffer. The blocks are those of `contract` (contract.cpp). In the epilogue
// `batch` is n * output height + oh, `row` is ow, `column` is the output channel over all groups. In the map of lhs
// `batch` is n * input height + ih, `row` is iw, `depth` is the input channel over all groups; in that of rhs `batch` is
// th * kernel width + tw, `depth` is the input channel of the group, `column` is the output channel over all groups. With
// a third operand there is no epilogue: sums are stored there with the strides of `output`.
#include "ir/ops/contraction_maps.hpp"
#include "ir/ops/kernel_attributes.hpp"

namespace hyperion::ir::ops {

OpDefinition op_convolve() {
  OpDefinition op;
  op.name = "convolve";
  op.group = OpGroup::kernel;
  op.doc = "Convolves two strided operands in registers and hands each vector of sums to its body.";
  op.operands = {{.name = "lhs", .doc = "the buffer of what windows slide over"},
                 {.name = "rhs", .doc = "the buffer of the weights"},
                 {.name = "output", .doc = "where the sums go if there is no body", .variadic = true}};
  op.attributes = {required_list("extents", "batch, groups, input channels and output channels of a group"),
                   required_list("height", "the outer axis"),
                   required_list("width", "the inner axis"),
                   required_list("lhs", "strides of batch, group and channel, and an offset"),
                   required_list("rhs", "strides of group, input channel and output channel, and an offset"),
                   required_list("output", "strides of batch, group, height, width and channel"),
                   required_number("lanes", "channels in one vector of sums"),
                   lhs_map_attribute(),
                   rhs_map_attribute()};
  op.constraints = contraction_constraints();
  op.result_count = 0;
  op.is_pure = false;
  op.infer = infer_contraction;
  op.example = "convolve %x, %w, %y {extents = [1, 1, 3, 8], height = [5, 3, 7, 1, 1, 1, 0, 21, 72], lanes = 16, "
               "lhs = [147, 3, 1, 0], output = [200, 8, 40, 8, 1], rhs = [8, 8, 1, 0], width = [5, 3, 7, 1, 1, 1, 0, 3, 24]}";
  return op;
}

}  // namespace hyperion::ir::ops

// contraction_convolution.hpp: convolutions of two spatial axes (one, with a height of 1), their
// input gradients and weight gradients, by the micro-kernel of contraction.hpp.
//
// Semantics (bit exact, and tested so). Along each axis, output position o and kernel tap t meet
// the input at
//
//     p = o * stride + t * dilation - padding,   input element p / input_dilation,
//
// if 0 <= p, input_dilation divides p, and p / input_dilation < input. Every other tap is SKIPPED:
// it is no term of the sum, so a NaN or infinite weight never meets padding. An output element is
// one chain in ascending (tap of height, tap of width, input channel):
//
//     acc = 0;   for th, tw, c:   acc = fma(input[..., c], weight[th, tw, c, ...], acc)
//
// No schedule or number of threads changes a bit of it.
//
// How. A tile of accumulators is a piece of one output row x a strip of output channels. Which taps
// its rows skip is known when the kernel is generated: tiles at the border get code that leaves
// rows out; there is no padded copy and no mask. Strides are free, so the layouts need not be NHWC
// and HWIO; those (channels adjacent) are the fast ones.
#pragma once

#include "codegen/llvm/contraction.hpp"

namespace hyperion::codegen {

// Extents, the rule above, and the strides (in elements) of one step in input and weights.
struct WindowAxis {
  std::int64_t output = 1, kernel = 1, input = 1;
  std::int64_t stride = 1, dilation = 1, input_dilation = 1, padding = 0;
  std::int64_t lhs = 0, rhs = 0;
};

struct ConvolutionInput {
  int buffer = 0;
  DType dtype = DType::f32;
  std::int64_t batch = 0, group = 0, channel = 1, offset = 0;
};

struct ConvolutionWeights {
  int buffer = 1;
  DType dtype = DType::f32;
  std::int64_t group = 0, in_channel = 0, out_channel = 1, offset = 0;
};

struct ConvolutionOutput {
  int buffer = 2;
  DType dtype = DType::f32;
  std::int64_t batch = 0, group = 0, height = 0, width = 0, channel = 1, offset = 0;
};

struct ConvolutionSpec {
  std::string symbol = "convolve";
  std::int64_t batch = 1, groups = 1;
  std::int64_t in_channels = 1, out_channels = 1;  // of one group
  WindowAxis height, width;
  ConvolutionInput lhs;
  ConvolutionWeights rhs;
  std::vector<ConvolutionOutput> outputs;
  bool output_may_hold_partials = false;  // as in ContractionSpec
  int workspace_buffer = 3;
};

// Dense NHWC input, HWIO weights ([kh][kw][in / groups][out]), NHWC output: `channels` count over
// all groups, and axis strides are filled in. The axes given carry extents of input and kernel, and
// the rule; outputs are derived.
ConvolutionSpec convolution_spec(std::int64_t batch, WindowAxis height, WindowAxis width,
                                 std::int64_t in_channels, std::int64_t out_channels,
                                 std::int64_t groups, std::int64_t high_padding_h,
                                 std::int64_t high_padding_w);

// The gradients of a forward convolution, as convolutions: buffers are 0: gradient of the output,
// 1: weights, 2: result, and 0: input, 1: gradient of the output, 2: result. In the weight gradient
// the roles are: batch = input channels, kernel taps = output positions, summed channels = batch;
// it requires groups == 1.
ConvolutionSpec input_gradient_spec(const ConvolutionSpec& forward);
ConvolutionSpec weight_gradient_spec(const ConvolutionSpec& forward);

struct ConvolutionSchedule {
  int tile_rows = 14;
  int tile_vectors = 2;
  bool rows_along_batch =
      false;  // tiles span images (or what the spec calls batch), not positions of a row
  bool pack_weights = false;      // into strips, by a launch of its own
  std::int64_t block_rows = 1;    // output rows of one parallel tile
  std::int64_t block_strips = 1;  // strips of one parallel tile
  std::int64_t tap_block = 0;     // height taps between two visits of the accumulators; 0: all

  std::string text() const;
};

ConvolutionSchedule choose_schedule(const ConvolutionSpec& spec, const ContractionHooks& hooks,
                                    const CpuTarget& target, int threads);

struct ConvolutionPlan {
  std::vector<KernelLaunch> launches;
  std::int64_t workspace_bytes = 0;
  ConvolutionSchedule schedule;
};

// Sites of the epilogue have batch = image * output height + output row, row = position in the
// output row, and columns counted over all groups.
//
// Sites of lhs's prologue have batch = image * input height + input row, free = position in the
// input row, and depth = channel over all groups; each parallel tile maps the input rows that it
// meets into scratch memory, and tiles run along the width. Taps beyond the input are skipped there
// as everywhere: a prologue never sees padding. Sites of rhs's prologue have batch = tap of height *
// kernel width + tap of width, depth = input channel, and free = output channel over all groups; it
// runs when the weights are packed, once for each.
StatusOr<ConvolutionPlan> emit_convolution(IrModule& module, const ConvolutionSpec& spec,
                                           const ContractionHooks& hooks,
                                           const ConvolutionSchedule& schedule);

}  // namespace hyperion::codegen

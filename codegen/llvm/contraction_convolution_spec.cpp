// Forward convolutions, their gradients as convolutions, and their schedules.
#include <algorithm>
#include <cstdlib>

#include "codegen/llvm/contraction_convolution.hpp"
#include "codegen/llvm/contraction_schedule.hpp"
#include "codegen/llvm/contraction_taps.hpp"
#include "ir/support/check.hpp"

namespace hyperion::codegen {
namespace {

std::int64_t output_extent(const WindowAxis& axis, std::int64_t high_padding) {
  const std::int64_t spread = axis.input == 0 ? 0 : (axis.input - 1) * axis.input_dilation + 1;
  const std::int64_t room =
      spread + axis.padding + high_padding - ((axis.kernel - 1) * axis.dilation + 1);
  return room < 0 ? 0 : room / axis.stride + 1;
}

// o * s + t * d - padding = i * L, solved for the gradient's chain: with t' = kernel - 1 - t,
// i * L + t' * d - ((kernel - 1) * d - padding) = o * s.
WindowAxis input_gradient_axis(const WindowAxis& forward, std::int64_t gradient_stride) {
  WindowAxis axis = forward;
  axis.output = forward.input;
  axis.input = forward.output;
  axis.stride = forward.input_dilation;
  axis.input_dilation = forward.stride;
  axis.padding = (forward.kernel - 1) * forward.dilation - forward.padding;
  axis.lhs = gradient_stride;
  axis.rhs = -forward.rhs;
  return axis;
}

// The same equation with the roles of output position and tap exchanged.
WindowAxis weight_gradient_axis(const WindowAxis& forward, std::int64_t gradient_stride) {
  WindowAxis axis = forward;
  axis.output = forward.kernel;
  axis.kernel = forward.output;
  axis.stride = forward.dilation;
  axis.dilation = forward.stride;
  axis.rhs = gradient_stride;
  return axis;
}

}  // namespace

ConvolutionSpec convolution_spec(std::int64_t batch, WindowAxis height, WindowAxis width,
                                 std::int64_t in_channels, std::int64_t out_channels,
                                 std::int64_t groups, std::int64_t high_padding_h,
                                 std::int64_t high_padding_w) {
  HYP_CHECK(in_channels % groups == 0 && out_channels % groups == 0, "groups divide the channels");
  ConvolutionSpec spec;
  spec.batch = batch;
  spec.groups = groups;
  spec.in_channels = in_channels / groups;
  spec.out_channels = out_channels / groups;
  height.output = output_extent(height, high_padding_h);
  width.output = output_extent(width, high_padding_w);
  width.lhs = in_channels;
  height.lhs = width.input * in_channels;
  width.rhs = spec.in_channels * out_channels;
  height.rhs = width.kernel * width.rhs;
  spec.height = height;
  spec.width = width;
  spec.lhs = {0, DType::f32, height.input * height.lhs, spec.in_channels, 1, 0};
  spec.rhs = {1, DType::f32, spec.out_channels, out_channels, 1, 0};
  const std::int64_t out_row = width.output * out_channels;
  spec.outputs = {
      {2, DType::f32, height.output * out_row, spec.out_channels, out_row, out_channels, 1, 0}};
  spec.output_may_hold_partials = true;
  return spec;
}

ConvolutionSpec input_gradient_spec(const ConvolutionSpec& forward) {
  const ConvolutionOutput& y = forward.outputs.at(0);
  ConvolutionSpec spec = forward;
  spec.in_channels = forward.out_channels;
  spec.out_channels = forward.in_channels;
  spec.height = input_gradient_axis(forward.height, y.height);
  spec.width = input_gradient_axis(forward.width, y.width);
  spec.lhs = {0, y.dtype, y.batch, y.group, y.channel, y.offset};
  const std::int64_t last_tap = (forward.height.kernel - 1) * forward.height.rhs +
                                (forward.width.kernel - 1) * forward.width.rhs;
  spec.rhs = {1,
              forward.rhs.dtype,
              forward.rhs.group,
              forward.rhs.out_channel,
              forward.rhs.in_channel,
              forward.rhs.offset + last_tap};
  const ConvolutionInput& x = forward.lhs;
  spec.outputs = {
      {2, x.dtype, x.batch, x.group, forward.height.lhs, forward.width.lhs, x.channel, x.offset}};
  return spec;
}

ConvolutionSpec weight_gradient_spec(const ConvolutionSpec& forward) {
  HYP_CHECK(forward.groups == 1, "weight gradients are per group");
  const ConvolutionOutput& y = forward.outputs.at(0);
  ConvolutionSpec spec = forward;
  spec.batch = forward.in_channels;
  spec.in_channels = forward.batch;
  spec.height = weight_gradient_axis(forward.height, y.height);
  spec.width = weight_gradient_axis(forward.width, y.width);
  const ConvolutionInput& x = forward.lhs;
  spec.lhs = {0, x.dtype, x.channel, 0, x.batch, x.offset};
  spec.rhs = {1, y.dtype, 0, y.batch, y.channel, y.offset};
  const ConvolutionWeights& w = forward.rhs;
  spec.outputs = {{2, w.dtype, w.in_channel, 0, forward.height.rhs, forward.width.rhs,
                   w.out_channel, w.offset}};
  return spec;
}

std::string ConvolutionSchedule::text() const {
  return "tile " + std::to_string(tile_rows) + "x" + std::to_string(tile_vectors) + " along " +
         (rows_along_batch ? "batch" : "width") + ", block " + std::to_string(block_rows) +
         " rows x " + std::to_string(block_strips) + " strips, taps " +
         (tap_block == 0 ? "all" : std::to_string(tap_block)) + ", weights " +
         (pack_weights ? "packed" : "unpacked");
}

ConvolutionSchedule choose_schedule(const ConvolutionSpec& spec, const ContractionHooks& hooks,
                                    const CpuTarget& target, int threads) {
  ConvolutionSchedule schedule;
  const DType compute = spec.lhs.dtype == DType::f64 ? DType::f64 : DType::f32;
  const int lanes = target.lanes(compute);
  const auto element = static_cast<std::int64_t>(byte_size(compute));
  const std::int64_t row_steps = divide_up(spec.width.output, output_step(spec.width));
  // Output rows of a few positions, as in a weight gradient, cannot fill a tile.
  schedule.rows_along_batch = row_steps < 6 && spec.batch > row_steps && !hooks.lhs_prologue;
  const RegisterTile tile = choose_register_tile(schedule.rows_along_batch ? spec.batch : row_steps,
                                                 spec.out_channels, target, lanes);
  schedule.tile_rows = tile.rows;
  schedule.tile_vectors = tile.vectors;
  const std::int64_t strips = std::max<std::int64_t>(
      divide_up(spec.out_channels, static_cast<std::int64_t>(tile.vectors) * lanes), 1);

  // As with matrix products: rows of weights a large power of two apart compete for cache sets, and
  // whoever is read often enough may be copied.
  const std::int64_t taps = spec.height.kernel * spec.width.kernel;
  const std::int64_t weight_bytes = taps * spec.in_channels * spec.out_channels * element;
  const std::int64_t reads = spec.batch * spec.height.output * divide_up(row_steps, tile.rows);
  const bool is_wide =
      std::abs(spec.rhs.in_channel) * element >= 1024 || byte_size(spec.rhs.dtype) < 4;
  schedule.pack_weights =
      spec.rhs.out_channel != 1 || hooks.rhs_prologue ||
      (is_wide && reads >= 64 && weight_bytes <= 8 * target.l2_bytes);

  const std::int64_t wanted = threads == 1 ? 1 : 4 * threads;
  const std::int64_t images = spec.groups * (schedule.rows_along_batch ? 1 : spec.batch);
  const std::int64_t row_blocks =
      std::clamp<std::int64_t>(divide_up(wanted, std::max<std::int64_t>(images, 1)), 1,
                               std::max<std::int64_t>(spec.height.output, 1));
  schedule.block_rows = divide_up(spec.height.output, row_blocks);
  const bool is_short_of_tiles = images * row_blocks < wanted;
  schedule.block_strips = is_short_of_tiles && !hooks.lhs_prologue ? 1 : strips;

  // What every tile of a block passes over stays in L2, if need be a few taps at a time: one strip
  // of weights, and the input as well where tiles run along the batch.
  std::int64_t tap_row_bytes =
      spec.width.kernel * spec.in_channels * tile.vectors * lanes * element;
  if (schedule.rows_along_batch) {
    tap_row_bytes = tap_row_bytes * schedule.block_strips +
                    spec.width.input * spec.in_channels * spec.batch * element;
  }
  if (spec.height.kernel * tap_row_bytes > target.l2_bytes / 2) {
    schedule.tap_block =
        std::max<std::int64_t>(target.l2_bytes / 2 / std::max<std::int64_t>(tap_row_bytes, 1), 1);
  }
  return schedule;
}

}  // namespace hyperion::codegen

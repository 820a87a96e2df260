#include "codegen/llvm/contraction_taps.hpp"

#include <numeric>
#include <utility>

namespace hyperion::codegen {
namespace {

// Rows [first, second) of the tile that starts `first_step` steps into its phase and meet `tap`.
// Positions grow with the row, so those inside the input are neighbours. `at_phase_start` is the
// tap's position for step 0.
std::pair<int, int> rows_inside(const WindowAxis& axis, std::int64_t at_phase_start,
                                std::int64_t first_step, int rows) {
  const std::int64_t step = input_step(axis);
  int begin = 0, end = rows;
  while (begin < end && at_phase_start + (first_step + begin) * step < 0) ++begin;
  while (end > begin && at_phase_start + (first_step + end - 1) * step >= axis.input) --end;
  return {begin, end};
}

TapPattern pattern_of(const WindowAxis& axis, std::int64_t phase, std::int64_t first_step,
                      int rows) {
  TapPattern pattern;
  const std::int64_t dilation = axis.input_dilation;
  // Taps that meet input elements at all, not the holes between them, are this far apart.
  const std::int64_t tap_step = dilation / std::gcd(dilation, axis.dilation);
  for (std::int64_t tap = 0; tap < axis.kernel; ++tap) {
    const std::int64_t p = phase * axis.stride + tap * axis.dilation - axis.padding;
    if (p % dilation != 0) continue;
    const auto [begin, end] = rows_inside(axis, p / dilation, first_step, rows);
    if (begin == end) continue;
    if (!pattern.empty()) {
      TapRun& last = pattern.back();
      const bool follows = tap == last.tap + last.count * tap_step;
      if (follows && last.row_begin == begin && last.row_end == end) {
        ++last.count;
        continue;
      }
    }
    pattern.push_back({tap, 1, tap_step, p / dilation, begin, end});
  }
  return pattern;
}

}  // namespace

std::int64_t output_step(const WindowAxis& axis) {
  return axis.input_dilation / std::gcd(axis.input_dilation, axis.stride);
}

std::int64_t input_step(const WindowAxis& axis) {
  return axis.stride / std::gcd(axis.input_dilation, axis.stride);
}

std::vector<TileRun> tile_runs(const WindowAxis& axis, int tile_rows) {
  std::vector<TileRun> runs;
  const std::int64_t phases = output_step(axis);
  for (std::int64_t phase = 0; phase < phases && phase < axis.output; ++phase) {
    const std::int64_t steps = (axis.output - phase + phases - 1) / phases;
    const std::int64_t tiles = (steps + tile_rows - 1) / tile_rows;
    std::int64_t step = 0;
    for (std::int64_t t = 0; t < tiles; ++t) {
      const auto rows = static_cast<int>(steps / tiles + (t < steps % tiles ? 1 : 0));
      TapPattern pattern = pattern_of(axis, phase, step, rows);
      TileRun* last = runs.empty() ? nullptr : &runs.back();
      if (last != nullptr && last->phase == phase && last->rows == rows &&
          last->pattern == pattern) {
        ++last->count;
      } else {
        runs.push_back({phase, step, 1, rows, std::move(pattern)});
      }
      step += rows;
    }
  }
  return runs;
}

}  // namespace hyperion::codegen

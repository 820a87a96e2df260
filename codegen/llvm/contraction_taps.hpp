// contraction_taps.hpp: which kernel taps meet the input, worked out when a convolution is
// generated. Internal to codegen/llvm; the rule itself is in contraction_convolution.hpp.
//
// Under input dilation L and stride s, output positions fall into L / gcd(L, s) phases; within one,
// neighbours meet the same taps, a constant input step apart. A tile is a run of neighbours of one
// phase. Its pattern lists the taps that any of its rows meets, grouped into runs that the same
// rows meet. Tiles with equal patterns share code.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "codegen/llvm/contraction_convolution.hpp"

namespace hyperion::codegen {

struct TapRun {
  std::int64_t tap = 0;    // the first tap,
  std::int64_t count = 0;  // and how many,
  std::int64_t step = 1;   // this far apart
  std::int64_t position =
      0;  // input position where the first tap meets row 0, if the tile began at its phase's start
  int row_begin = 0, row_end = 0;

  auto operator<=>(const TapRun&) const = default;
};
using TapPattern = std::vector<TapRun>;

// `count` neighbouring tiles of `rows` rows each that share a pattern; rows are output positions
// phase + step * L'.
struct TileRun {
  std::int64_t phase = 0;
  std::int64_t first_step = 0;
  std::int64_t count = 0;
  int rows = 0;
  TapPattern pattern;
};

std::int64_t output_step(const WindowAxis& axis);  // L': between neighbours of a phase
std::int64_t input_step(const WindowAxis& axis);   // the same, as seen in the input

std::vector<TileRun> tile_runs(const WindowAxis& axis, int tile_rows);

}  // namespace hyperion::codegen

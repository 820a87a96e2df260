// The cost model of contraction.hpp: which register tile, which blocks, what to pack.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "codegen/llvm/contraction.hpp"

namespace hyperion::codegen {
namespace {

std::int64_t round_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }
std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

struct RegisterTile {
  int rows, vectors;
};

// Useful share of the tile, times multiplications per load. Rows are split evenly, so only the strip wastes lanes.
double tile_score(const ContractionSpec& spec, RegisterTile tile, int lanes) {
  const std::int64_t row_tiles = divide_up(spec.rows, tile.rows);
  const double rows = static_cast<double>(divide_up(spec.rows, row_tiles));
  const double used = static_cast<double>(spec.columns) /
                      static_cast<double>(round_up(spec.columns, lanes));
  // The narrower last strip has too few chains to hide the latency of a multiplication: count whole strips.
  const std::int64_t vectors = divide_up(spec.columns, lanes);
  const double strips = static_cast<double>(vectors) /
                        static_cast<double>(round_up(vectors, tile.vectors));
  const double intensity = rows * tile.vectors / (rows + tile.vectors);
  return used * (0.5 + 0.5 * strips) * intensity;
}

RegisterTile choose_tile(const ContractionSpec& spec, const CpuTarget& target, int lanes) {
  RegisterTile best{1, 1};
  double best_score = -1;
  for (int vectors = 1; vectors <= 6; ++vectors) {
    // One register for each rhs vector of a step and one for the splat, which AVX-512 could fold but LLVM keeps.
    const int rows = (target.vector_registers - 1 - vectors - 1) / vectors;
    for (int r = 1; r <= std::min(rows, 14); ++r) {
      if (r > spec.rows) break;
      const double score = tile_score(spec, {r, vectors}, lanes);
      if (score > best_score) best = {r, vectors}, best_score = score;
    }
  }
  return best;
}

}  // namespace

std::string ContractionSchedule::text() const {
  static constexpr std::array kLhs = {"unpacked", "block"};
  static constexpr std::array kRhs = {"unpacked", "strip", "whole"};
  return "tile " + std::to_string(tile_rows) + "x" + std::to_string(tile_vectors) + " unroll " +
         std::to_string(unroll) + ", depth " +
         (depth_block == 0 ? "all" : std::to_string(depth_block)) + ", block " +
         std::to_string(block_row_tiles) + "x" + std::to_string(block_strips) + ", lhs " +
         kLhs[static_cast<std::size_t>(lhs)] + ", rhs " + kRhs[static_cast<std::size_t>(rhs)];
}

ContractionSchedule choose_schedule(const ContractionSpec& spec, const ContractionHooks& hooks,
                                    const CpuTarget& target, int threads) {
  ContractionSchedule schedule;
  const DType compute = spec.lhs.dtype == DType::f64 ? DType::f64 : DType::f32;
  const int lanes = target.lanes(compute);
  const RegisterTile tile = choose_tile(spec, target, lanes);
  schedule.tile_rows = tile.rows;
  schedule.tile_vectors = tile.vectors;
  schedule.rhs = hooks.rhs_prologue || spec.rhs.free != 1 ? RhsPacking::strip : RhsPacking::none;
  schedule.block_row_tiles = 16;
  schedule.block_strips = 1 << 20;
  (void)threads;
  return schedule;
}

}  // namespace hyperion::codegen

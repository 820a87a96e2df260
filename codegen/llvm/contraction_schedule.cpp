#include "codegen/llvm/contraction_schedule.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <numeric>

namespace hyperion::codegen {
namespace {

constexpr double kIndependentSums =
    8;  // latency 4 times throughput 2 on current x86-64 and AArch64 cores
constexpr double kUnevenStrips = 0.97;
constexpr int kWidestStrip = 12;  // one row of twelve vectors, for vector x matrix
constexpr int kTallestTile = 14;
constexpr std::int64_t kFewRowTiles =
    3;  // a packed rhs would be read hardly more often than it is written
constexpr std::int64_t kFewStrips = 1;
constexpr std::int64_t kLhsBlockRowTiles = 22;
constexpr std::int64_t kTilesPerThread = 4;  // enough to even out a thread that comes late
// lhs is packed again, prologue and all, for each block of columns; so many make up for it.
constexpr std::int64_t kColumnsPerPacking = 64;

// Useful share of the tile, times multiplications per load. Rows are split evenly, so only the
// strip wastes lanes. Tiles with too few independent sums wait for the latency of each
// multiplication.
double tile_score(std::int64_t row_count, std::int64_t vectors, RegisterTile tile) {
  const std::int64_t row_tiles = divide_up(row_count, tile.rows);
  const double rows = static_cast<double>(row_count) / static_cast<double>(row_tiles);
  const double strips =
      static_cast<double>(vectors) / static_cast<double>(round_up(vectors, tile.vectors));
  const double intensity = rows * tile.vectors / (rows + tile.vectors);
  const double latency = std::min(1.0, rows * tile.vectors / kIndependentSums);
  // A narrower last strip has fewer sums to hide latency with, and is one more function to compile.
  const double even = vectors % tile.vectors == 0 ? 1.0 : kUnevenStrips;
  return latency * even * strips * intensity;
}

// Unpacked rhs is read strip by strip with the matrix's own row stride. That is free while the
// matrix stays in L2; beyond, and where rows are a multiple of a page apart (they then compete for
// a few cache sets), copying pays.
bool rhs_may_stay_unpacked(const ContractionSpec& spec, const ContractionHooks& hooks,
                           const CpuTarget& target, std::int64_t row_tiles) {
  if (hooks.rhs_prologue || spec.rhs.free != 1) return false;
  const auto element = static_cast<std::int64_t>(byte_size(spec.rhs.dtype));
  if (row_tiles <= kFewRowTiles) return true;
  if (element < 4) return false;  // widened in the inner loop, again and again
  const std::int64_t row_bytes = std::abs(spec.rhs.depth) * element;
  return spec.columns * spec.depth * element <= target.l2_bytes / 2 && row_bytes % 4096 != 0;
}

// Broadcasts do not mind how lhs lies, as long as the lines of a tile do not evict one another.
bool lhs_may_stay_unpacked(const ContractionSpec& spec, const ContractionHooks& hooks,
                           std::int64_t strips) {
  if (hooks.lhs_prologue) return false;
  if (strips <= kFewStrips) return true;
  const auto element = static_cast<std::int64_t>(byte_size(spec.lhs.dtype));
  if (element < 4) return false;
  return spec.lhs.depth == 1 || std::abs(spec.lhs.depth) * element < 4096 || spec.depth <= 128;
}

// Splits the row tiles and strips over the parallel loop, given what each tile of the loop packs
// for itself.
void choose_blocks(ContractionSchedule& schedule, std::int64_t batches, std::int64_t row_tiles,
                   std::int64_t strips, std::int64_t strip_width, int threads) {
  const std::int64_t wanted = threads == 1 ? 1 : divide_up(kTilesPerThread * threads, batches);
  if (schedule.lhs == LhsPacking::block) {
    // The block of lhs lives in L2 while every strip passes over it.
    const std::int64_t blocks =
        std::max(divide_up(row_tiles, kLhsBlockRowTiles), std::min(wanted, row_tiles));
    schedule.block_row_tiles = divide_up(row_tiles, blocks);
    // With too few rows for the threads, columns are shared out as well.
    const std::int64_t column_blocks = blocks < threads ? divide_up(wanted, blocks) : 1;
    schedule.block_strips =
        std::clamp<std::int64_t>(divide_up(kColumnsPerPacking, strip_width),
                                 divide_up(strips, column_blocks), strips);
    return;
  }
  if (schedule.rhs == RhsPacking::none) {
    const std::int64_t blocks =
        std::max(divide_up(row_tiles, kLhsBlockRowTiles), std::min(wanted, row_tiles));
    schedule.block_row_tiles = divide_up(row_tiles, blocks);
    schedule.block_strips = divide_up(strips, divide_up(wanted, blocks));
    return;
  }
  // A strip of rhs lives in L2 while all rows of lhs stream past: split columns first, then rows.
  schedule.block_strips = 1;
  const std::int64_t row_blocks = std::min(divide_up(wanted, strips), divide_up(row_tiles, 8));
  schedule.block_row_tiles = divide_up(row_tiles, std::max<std::int64_t>(row_blocks, 1));
}

}  // namespace

RegisterTile choose_register_tile(std::int64_t rows, std::int64_t columns, const CpuTarget& target,
                                  int lanes) {
  RegisterTile best{1, 1};
  double best_score = -1;
  const std::int64_t needed = std::max<std::int64_t>(divide_up(columns, lanes), 1);
  for (int vectors = 1; vectors <= std::min<std::int64_t>(needed, kWidestStrip); ++vectors) {
    // A register for each rhs vector of a step, one for the splat, and one to spare.
    const int most = std::min((target.vector_registers - 2 - vectors) / vectors, kTallestTile);
    for (int r = 1; r <= std::min<std::int64_t>(std::max<std::int64_t>(rows, 1), most); ++r) {
      const double score = tile_score(std::max<std::int64_t>(rows, 1), needed, {r, vectors});
      if (score > best_score) best = {r, vectors}, best_score = score;
    }
  }
  return best;
}

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
  const RegisterTile tile = choose_register_tile(spec.rows, spec.columns, target, lanes);
  schedule.tile_rows = tile.rows;
  schedule.tile_vectors = tile.vectors;
  const std::int64_t row_tiles = divide_up(std::max<std::int64_t>(spec.rows, 1), tile.rows);
  const std::int64_t strip_width = static_cast<std::int64_t>(tile.vectors) * lanes;
  const std::int64_t strips = divide_up(std::max<std::int64_t>(spec.columns, 1), strip_width);
  // Half of L2 for one strip, the rest for what streams past it; blocks of equal size.
  const std::int64_t strip_depth =
      target.l2_bytes / 2 / (strip_width * static_cast<std::int64_t>(byte_size(compute)));
  const std::int64_t depth_blocks = divide_up(std::max<std::int64_t>(spec.depth, 1), strip_depth);
  schedule.depth_block =
      depth_blocks == 1 ? 0 : round_up(divide_up(spec.depth, depth_blocks), lanes);
  const std::int64_t batches = std::max<std::int64_t>(
      std::accumulate(spec.batch.begin(), spec.batch.end(), std::int64_t{1}, std::multiplies<>()),
      1);
  if (!lhs_may_stay_unpacked(spec, hooks, strips)) schedule.lhs = LhsPacking::block;
  if (!rhs_may_stay_unpacked(spec, hooks, target, row_tiles)) {
    const bool once = schedule.lhs == LhsPacking::block && row_tiles > kLhsBlockRowTiles;
    // A prologue is computed once for each element, not once for each block of rows.
    const bool is_shared = hooks.rhs_prologue && row_tiles > 1 &&
                           (threads > 1 || row_tiles > kLhsBlockRowTiles);
    schedule.rhs = once || is_shared ? RhsPacking::whole : RhsPacking::strip;
  }
  choose_blocks(schedule, batches, row_tiles, strips, strip_width, threads);
  return schedule;
}

}  // namespace hyperion::codegen

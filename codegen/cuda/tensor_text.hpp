// tensor_text.hpp: what kernels on tensor cores print alike, whichever instruction multiplies: the walk over tiles, and
// the way of the sums from fragments into the op's body.
//
// Both wgmma and mma.sync leave sums in *fragments* of 16 rows and 8 columns, four sums a thread: lane l of a warp
// holds columns 2 (l % 4) and the next, of row l / 4 and of row l / 4 + 8. What differs is which fragments a warp has.
#pragma once

#include <cstdint>
#include <string>

namespace hyperion::codegen {

// A body in the making, indented.
class KernelLines {
 public:
  void line(const std::string& text) { text_ += std::string(2 * depth_, ' ') + text + "\n"; }
  void open(const std::string& text) { line(text + " {"), ++depth_; }
  void close(const std::string& text = "}") { --depth_, line(text); }
  void add(const std::string& text) { text_ += text; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::size_t depth_ = 1;
};

// Tiles of `rows` x `columns`, counted in clusters that stand below one another.
struct TileWalk {
  std::int64_t down = 1, across = 1;
  int rows = 128, columns = 128, cluster = 1, group = 8;
};
// `place_of(tile, batch_, first_row, first_column)`: rows of tiles in groups, a group column by column, so that
// operands stay in the second-level cache. Uses `rank`.
void print_walk(KernelLines& out, const TileWalk& walk);

// The fragments of a warp, in `sums_of_tile[bands][columns / 2]`: bands of 16 rows, fragments along each.
struct FragmentLayout {
  int bands = 1, rows_apart = 16, columns = 64;
  std::string row, column;  // of the first, in the result
  std::string slab;         // the warp's own kWarpSlabBytes of shared memory, as a float*
};
inline constexpr int kSlab = 32;        // columns of sums that a warp lays out in shared memory at a time
inline constexpr int kSlabStride = 40;  // in floats: eight more, so that rows begin in different banks
inline constexpr int kWarpSlabBytes = 16 * kSlabStride * 4;

// `finish` is text that uses `sums[4]`, `batch_`, `at_row` and `at_column`. Uses `lane_`.
void print_epilogue(KernelLines& out, const FragmentLayout& layout, std::int64_t rows, std::int64_t columns,
                    const std::string& finish);

}  // namespace hyperion::codegen

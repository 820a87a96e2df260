// contraction_micro.hpp: the inner parts shared by matrix products and convolutions: a tile of
// accumulators, the loop over depth that feeds it, and what happens to it before and after.
// Internal to codegen/llvm.
//
// A tile is `rows` x `vectors` vectors, held in registers as SSA values, row by row. The last
// vector of a row may have only `last_lanes` columns in bounds: all its lanes are computed, only
// those are stored.
#pragma once

#include "codegen/llvm/contraction.hpp"
#include "codegen/llvm/contraction_emit.hpp"

namespace hyperion::codegen {

struct TileShape {
  int rows = 1;
  int vectors = 1;
  int last_lanes = 0;
  int strip_vectors = 0;  // of a full strip, if that is wider: the pitch of a copy

  int copy_vectors() const { return strip_vectors > 0 ? strip_vectors : vectors; }
  bool operator==(const TileShape&) const = default;
};

// How one step of depth reads its operands; strides in bytes.
struct DepthStreams {
  DType lhs_dtype = DType::f32;
  std::int64_t lhs_row = 0, lhs_depth = 0;
  DType rhs_dtype = DType::f32;
  std::int64_t rhs_depth = 0;  // lanes are adjacent
  bool rhs_is_padded = true;   // the last vector may be read whole
};

// acc = fma(lhs[row][k], rhs[k][column], acc) for k in [0, count), for rows [row_begin, row_end) of
// the tile; `lhs` points at row 0 of the tile. A positive `known_count` is the constant value of
// `count`.
struct DepthLoop {
  llvm::Value* lhs;
  llvm::Value* rhs;
  llvm::Value* count;
  std::int64_t known_count = 0;
  int row_begin = 0, row_end = 0;
  int unroll = 1;
  // If set, rhs is also copied here, step after step, as the padded strip that other tiles will
  // read: packing for free, because the loop waits for its multiplications anyway.
  llvm::Value* copy_to = nullptr;
};
Values emit_depth_loop(Emit& e, const TileShape& tile, const DepthStreams& streams,
                       const DepthLoop& loop, Values accumulators);

// Where a tile stands. Row r of the tile is, to hooks, `row + r * row_step` of `batch + r *
// batch_step`; in memory it lies r * memory_step rows of the output after the first. `column` is
// that of the first lane.
struct TilePlace {
  llvm::Value* batch;
  llvm::Value* row;
  llvm::Value* column;
  llvm::Value* buffers;
  std::int64_t batch_step = 0, row_step = 1, memory_step = 1;
  Values outputs;  // pointers to the tile's first element in each output
};

// Fetches the lines that the tile will be stored to, so that the stores, `steps` depth steps later,
// need not wait.
void prefetch_tile(Emit& e, const TileShape& tile, const ContractionOutput& to,
                   std::int64_t row_step, llvm::Value* pointer, std::int64_t steps);

// Runs the epilogue hook on every vector and stores what it returns.
void emit_epilogue(Emit& e, const TileShape& tile, const std::vector<ContractionOutput>& outputs,
                   const std::function<void(EpilogueSite&)>& hook, const TilePlace& place,
                   const Values& accumulators);

// Reads a tile of an output (or of partial sums described like one).
Values load_tile(Emit& e, const TileShape& tile, const ContractionOutput& from,
                 std::int64_t row_step, llvm::Value* pointer);
void store_tile(Emit& e, const TileShape& tile, const ContractionOutput& to, std::int64_t row_step,
                llvm::Value* pointer, const Values& values);

}  // namespace hyperion::codegen

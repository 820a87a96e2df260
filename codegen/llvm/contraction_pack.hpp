// contraction_pack.hpp: functions that copy an operand into the order in which the micro-kernel
// reads it, widening bf16 and f16, and applying the prologue hook. Internal to codegen/llvm.
//
//   rhs strip   [depth][strip width]; lanes beyond the last column hold anything. If depth is rhs's
//   contiguous
//               dimension, squares of lanes x lanes are transposed in registers.
//   lhs rows    [row][pitch]: plain copies of rows that were contiguous, with a pitch that spreads
//   them over the
//               sets of the L1 cache. Broadcasts do not care for the order, and copying beats
//               transposing.
//   lhs panels  [row tile][depth][tile rows], from any other layout.
#pragma once

#include "codegen/llvm/contraction.hpp"
#include "codegen/llvm/contraction_emit.hpp"

namespace hyperion::codegen {

// Rows of one register tile differ by at most one: tile t has base + (t < extra) rows.
struct RowTiles {
  std::int64_t count = 0, base = 0, extra = 0;

  static RowTiles split(std::int64_t rows, int tile_rows);
  int largest() const { return static_cast<int>(base + (extra > 0 ? 1 : 0)); }
  llvm::Value* first_row(Emit& e, llvm::Value* tile) const;
};

struct PackedLhs {
  bool rows = true;            // else panels
  std::int64_t row_bytes = 0;  // stride of a row within a tile
  std::int64_t depth_bytes = 0;
  std::int64_t tile_bytes = 0;   // panels: from one row tile to the next
  std::int64_t block_bytes = 0;  // room for one block

  static PackedLhs of(const Emit& e, const ContractionSpec& spec,
                      const ContractionSchedule& schedule, const RowTiles& tiles,
                      std::int64_t depth_block);
};

// void pack(ptr source_base, ptr to, i64 tile_begin, i64 tile_end, i64 depth0, i64 count, i64
// batch, ptr buffers)
llvm::Function* emit_pack_lhs(Emit& e, const ContractionSpec& spec, const ContractionHooks& hooks,
                              const RowTiles& tiles, const PackedLhs& packed);

// void pack(ptr source_base, ptr to, i64 column0, i64 depth0, i64 count, i64 batch, ptr buffers),
// for strips of which `columns` are in bounds. Writes whole multiples of `lanes` depth steps when
// it transposes.
llvm::Function* emit_pack_rhs(Emit& e, const ContractionSpec& spec, const ContractionHooks& hooks,
                              int strip_vectors, int columns);

}  // namespace hyperion::codegen

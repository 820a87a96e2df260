// lower_transposition.hpp: maps that read a buffer across its rows, in square tiles that are transposed in registers.
//
// A vector of results wants elements that lie a stride apart: a gather, one element at a time. Where neighbours along that
// stride's other axis are wanted too, a tile of `lanes` x `lanes` elements is read in whole vectors, transposed by
// shuffles, and used row by row.
#pragma once

#include <optional>
#include <vector>

#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower.hpp"
#include "codegen/lower/map_nest.hpp"

namespace hyperion::codegen {

struct TransposedTiles {
  std::size_t across = 0;              // which of the nest's variables runs along the vectors that are read
  std::vector<ir::TermId> accesses;    // what is read across
  int lanes = 16;
};

// Nothing if the nest has no such access, or is too small, or reduces.
std::optional<TransposedTiles> find_transposed_tiles(const MapNest& nest, const LoweringTarget& target);

void write_transposed_tiles(KernelWriter& writer, MapNest& nest, const TransposedTiles& tiles,
                            const std::vector<ir::ValueId>& results, const LoweringTarget& target, Lowered& out);

}  // namespace hyperion::codegen

// lower_columns.hpp: sums down columns, by teams of threads.
//
// A column's neighbours in memory are other columns, so threads stand side by side along the columns; and below one
// another, each row of threads taking every n-th row of the matrix, because a column of a few thousand elements would
// otherwise be one thread's work. What the rows of threads summed is combined at the end (`reduce_columns`). In the
// kernel's words a vector is a matrix: its lane l stands for column l mod `columns` and row l / `columns`.
#pragma once

#include <optional>
#include <vector>

#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower.hpp"
#include "codegen/lower/map_nest.hpp"

namespace hyperion::codegen {

struct ColumnTiles {
  int threads = 256;
  int chunk = 1;                                          // neighbouring columns of a thread
  int columns = 32;                                       // of a tile, a power of two
  int rows() const { return threads * chunk / columns; }  // that a tile takes at once
};

// Nothing where the nest has other reductions than such, or too few rows, or the order of sums is prescribed. `chunk`:
// elements that a thread moves at once.
std::optional<ColumnTiles> find_column_tiles(const MapNest& nest, const LoweringTarget& target, int chunk);

// Takes the nest's variables apart: nothing else may be written from it afterwards.
void write_columns(KernelWriter& writer, MapNest& nest, const ColumnTiles& tiles,
                   const std::vector<ir::ValueId>& results, Lowered& out);

}  // namespace hyperion::codegen

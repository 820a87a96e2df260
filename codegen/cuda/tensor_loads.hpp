// tensor_loads.hpp: how the tensor memory accelerator brings the operands of a product: which ones it can read, the maps
// that it reads them by, and the statements that ask for a tile.
//
// A stage of the ring holds 128 bytes of depth of every operand, in boxes: up to 256 lines of 128 bytes along depth, or
// squares of 128 bytes where rows or columns lie together in memory.
//
// Of an image, a stage holds 128 bytes of channels of one place in the window. So a step of depth is a place and a block
// of channels; where the last block reaches beyond the channels, both operands read as zero, and so does lhs where a
// window reaches beyond its image.
#pragma once

#include "codegen/cuda/tensor_contraction.hpp"
#include "codegen/cuda/tensor_text.hpp"
#include "codegen/cuda/wgmma_schedules.hpp"

namespace hyperion::codegen {

// Stages for all of depth.
std::int64_t depth_steps(const TensorProblem& problem);

// Strides are multiples of 16 bytes, and 32-bit elements lie along depth.
bool is_loadable(const TensorProblem& problem);

// Elements of f32 are read as tf32.
runtime::cuda::CUtensorMapDataType tensor_map_type(DType dtype);
// Of lhs or rhs, of which one load brings at most `extent` rows or columns.
runtime::cuda::TensorMapParameter tensor_map(const TensorProblem& problem, bool is_lhs, int extent);
// Loads that bring `extent` rows or columns.
int box_count(const TensorProblem& problem, bool is_lhs, int extent);

// What an image's loads use: of the tile, after `first_row` is known, and of step `k` of depth. Nothing for others.
void print_place_of_tile(KernelLines& out, const TensorProblem& problem);
void print_place_of_step(KernelLines& out, const TensorProblem& problem);

struct TileLoad {
  bool is_lhs = true;
  int extent = 128, box = 0;  // box: which of box_count()
  std::string stage, barrier;  // addresses
  int base = 0;                // of the operand, in the stage
  int sharers = 1;  // blocks of a cluster, each of which brings its own `extent` for all
};
void print_load(KernelLines& out, const TensorProblem& problem, const TileLoad& load);

}  // namespace hyperion::codegen

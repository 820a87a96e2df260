// tensor_epilogue.hpp: the way of sums out of registers by way of the tensor memory accelerator: each warp converts a
// piece of 16 rows in the fragments it has, lays it out in a staging buffer of its own, and asks for it to be stored.
// Nobody waits for the store until the buffer is wanted again, and nobody waits for another warp.
//
// Why beside print_epilogue(): there, each vector of the result waits for loads from a slab and for stores, a chain of
// latencies with one warp on each scheduler. It serves what cannot go this way: several results, results whose lines
// do not begin at multiples of 16 bytes, and elements of other sizes than 16 bits.
#pragma once

#include "codegen/cuda/tensor_contraction.hpp"
#include "codegen/cuda/tensor_text.hpp"

namespace hyperion::codegen {

// A long body works on many values at a time, or waits for each: not beside 192 sums a thread.
bool has_registers_for(const TensorSchedule& schedule, const StagedResult& result);

// The statements of a consumer's tile in place of AsyncKind::epilogue, and those at the role's end.
void stage_results(std::vector<AsyncStatement>& tile, int buffers);
void finish_stores(std::vector<AsyncStatement>& role);

// How one consumer's result is cut into pieces.
struct StagedTile {
  int groups = 1, columns = 64;  // groups of 64 rows
  int buffers = 1;
  std::string row, column;                 // of the warp's first piece
  std::string staging;                     // address of the warp's buffers in shared memory
  std::int64_t rows = 1, all_columns = 1;  // of the whole result
  bool is_ragged = false;                  // tiles reach beyond it
  bool has_batches = false;
};
// What is in front of the pieces, and each statement of them. Uses `sums_of_tile`, `result_map`, `lane_`.
void print_staging(KernelLines& out, const StagedTile& tile);
void print_staged(KernelLines& out, const AsyncStatement& statement, const StagedTile& tile,
                  const StagedResult& result);

runtime::cuda::TensorMapParameter result_map(const TensorProblem& problem, const StagedResult& result);

}  // namespace hyperion::codegen

// contraction.hpp: out[b, i, j] = epilogue(sum over k of lhs[b, i, k] * rhs[b, k, j]) as packed,
// register-blocked vector code.
//
// Semantics (bit exact, and tested so). Every output element is ONE chain in ascending k,
//
//     acc = accumulate ? out : 0;   for k in 0..depth: acc = fma(lhs[k], rhs[k], acc)
//
// carried in f32 (f64 when the operands are f64); bf16 and f16 are storage types, widened exactly
// as they are read and rounded to nearest even when stored. When depth is blocked, the raw
// accumulators are stored and reloaded. So the bits depend on nothing that a schedule or the number
// of threads may choose, and K is never split over threads.
//
// Shape of the code. A plan is one or two launches. Launch functions have the type TileFunction;
// any thread may run any range of tiles, each with scratch memory of its own:
//
//     for tile in [begin, end):                a block of row tiles x strips
//       for block of depth:                    partial sums rest in the output, or in scratch
//         [copy the lhs block into scratch]
//         for strip of columns:
//           [copy the rhs strip into scratch]
//           for row tile: micro-kernel         tile_rows x tile_vectors accumulators in registers
//
// If the whole rhs is packed, a first launch writes it to the workspace, strip by strip:
// [strip][depth][strip width].
//
// The record knows nothing of the IR: whoever lowers a fused group fills it and hangs its
// elementwise part into the hooks. Columns are what vector lanes run along: an output with a column
// stride other than 1 is stored element by element, so exchange lhs and rhs first where its row
// stride is 1 (a product is commutative, to the bit).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "codegen/llvm/jit.hpp"
#include "codegen/llvm/target.hpp"
#include "ir/dtype.hpp"
#include "ir/support/status.hpp"

namespace llvm {
class IRBuilderBase;
class Value;
}  // namespace llvm

namespace hyperion::codegen {

// The type of every launch function. `buffers` is the whole argument table of the plan; records
// name entries by index.
using TileFunction = void(void* const* buffers, std::int64_t tile_begin, std::int64_t tile_end,
                          void* scratch);

// Strides and offsets count elements and may be negative. `free` belongs to rows in lhs, to columns
// in rhs.
struct ContractionOperand {
  int buffer = 0;
  DType dtype = DType::f32;
  std::int64_t free = 0;
  std::int64_t depth = 0;
  std::vector<std::int64_t> batch;  // one for each batch dimension; 0 broadcasts
  std::int64_t offset = 0;

  // Whether lanes run along depth where the operand is copied before its lanes are told apart.
  bool lanes_along_depth(bool is_lhs) const { return depth == 1 && (is_lhs || free != 1); }
};

struct ContractionOutput {
  int buffer = 2;
  DType dtype = DType::f32;
  std::int64_t row = 0;
  std::int64_t column = 1;
  std::vector<std::int64_t> batch;
  std::int64_t offset = 0;
};

struct ContractionSpec {
  std::string symbol = "contract";
  std::int64_t rows = 0, columns = 0, depth = 0;
  std::vector<std::int64_t> batch;  // extents, outermost first
  ContractionOperand lhs, rhs;
  std::vector<ContractionOutput> outputs;  // at least one
  bool accumulate = false;                 // start from what outputs[0] holds
  // Partial sums may rest in outputs[0]: it has the accumulation type and overlaps nothing that a
  // hook reads.
  bool output_may_hold_partials = false;
  int workspace_buffer = 3;  // 64-byte aligned; used only if the plan asks for workspace
};

// C = A * B with dense row-major operands, transposed in storage where asked; buffers 0, 1, 2.
ContractionSpec matmul_spec(DType dtype, std::int64_t m, std::int64_t n, std::int64_t k,
                            bool lhs_transposed = false, bool rhs_transposed = false);

// Where an epilogue stands: one vector of accumulators, with lane i belonging to column `column +
// i`.
struct EpilogueSite {
  llvm::IRBuilderBase& builder;
  llvm::Value* accumulator;  // <lanes x f32 or f64>
  llvm::Value* batch;        // i64, row-major number over the batch dimensions
  llvm::Value* row;          // i64
  llvm::Value* column;       // i64
  llvm::Value* mask;         // <lanes x i1> constant, or nullptr when all lanes are in bounds
  llvm::Value* buffers;      // ptr to the argument table
  int lanes;
  // What is stored, one for each output; initially the accumulator. Either of the accumulation type
  // (converted by the store) or already of the output's element type. nullptr: the hook has stored
  // it itself.
  std::vector<llvm::Value*> values;
};

// Where a prologue stands: it yields one vector of an operand as it is packed, in the type of the
// sums, and reads whatever it needs for that itself. Operands with a prologue are always packed.
// Lanes run along `depth` or along `free`, whichever of the operand's strides is 1.
struct PrologueSite {
  llvm::IRBuilderBase& builder;
  llvm::Value* batch;  // i64; 0 if the operand is packed once for all batches
  llvm::Value* free;   // i64: row of lhs, column of rhs; of lane 0
  llvm::Value* depth;  // i64; of lane 0
  llvm::Value* mask;   // <lanes x i1> of lanes in bounds, or nullptr
  llvm::Value* buffers;
  int lanes;
  bool lanes_along_depth;
};

struct ContractionHooks {
  std::function<void(EpilogueSite&)> epilogue;
  std::function<llvm::Value*(PrologueSite&)> lhs_prologue;
  std::function<llvm::Value*(PrologueSite&)> rhs_prologue;
};

enum class LhsPacking : std::uint8_t { none, block };
enum class RhsPacking : std::uint8_t { none, strip, whole };

// Chosen by a cost model, printed into dumps, free to override: no choice changes a bit of the
// result.
struct ContractionSchedule {
  int tile_rows = 14;                // accumulator rows of the micro-kernel
  int tile_vectors = 2;              // accumulator vectors of each row
  int unroll = 1;                    // depth steps in one iteration of the inner loop
  std::int64_t depth_block = 0;      // depth steps between two visits of the accumulators; 0: all
  std::int64_t block_row_tiles = 1;  // a parallel tile is this many row tiles
  std::int64_t block_strips = 1;     // times this many strips
  LhsPacking lhs = LhsPacking::none;
  RhsPacking rhs = RhsPacking::none;

  // "tile 14x2 unroll 1, depth 512, block 16x8, lhs block, rhs whole"
  std::string text() const;
};

ContractionSchedule choose_schedule(const ContractionSpec& spec, const ContractionHooks& hooks,
                                    const CpuTarget& target, int threads);

struct ContractionPlan {
  std::vector<KernelLaunch> launches;  // in order, each after the one before it has finished
  std::int64_t workspace_bytes = 0;    // shared by the launches; dead afterwards
  ContractionSchedule schedule;
};

// Adds the launch functions to `module`. Errors: a dtype that cannot be contracted, a target
// without fma.
StatusOr<ContractionPlan> emit_contraction(IrModule& module, const ContractionSpec& spec,
                                           const ContractionHooks& hooks,
                                           const ContractionSchedule& schedule);

}  // namespace hyperion::codegen

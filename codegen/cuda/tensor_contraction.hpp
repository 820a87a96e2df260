// tensor_contraction.hpp: `contract` on tensor cores, by one of two engines.
//
//   wgmma   sm_90a. A persistent grid; in each block one warpgroup loads tiles ahead by TMA, the others multiply them.
//   mma     sm_80 and later. All threads of a block copy pieces of the tiles to come, then multiply the one that is
//   there
//           (mma_contraction.cpp). On sm_90a it serves what TMA cannot read: lines that do not begin at multiples of 16
//           bytes, and f32 along rows or columns.
//
// Both are asynchronous programs (async_program.hpp). The sums leave through the op's body, four columns at a time.
// Operands may be contiguous along depth or along rows and columns: no transpose is ever made.
//
// f16 and bf16; f32 as tf32, which rounds its factors to 11 bits, where that is asked for. Sums are carried in f32.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "codegen/cuda/async_program.hpp"
#include "codegen/cuda/emit_kernel.hpp"

namespace hyperion::codegen {

enum class TensorEngine : std::uint8_t { wgmma, mma };

// What is tuned.
struct TensorSchedule {
  TensorEngine engine = TensorEngine::wgmma;
  int rows = 128;  // of a block's tile; of a consumer's own, if they take turns
  int columns = 256;
  int stages = 4;
  int group = 8;  // rows of tiles that are walked column by column, so that operands stay in the second-level cache
  // wgmma
  int cluster = 1;           // blocks below one another, which share what they load of rhs
  bool takes_turns = false;  // each of the two consumers has a tile of its own: one multiplies while the other stores
  // mma
  int warp_rows = 64;  // of a warp's part of the tile
  int warp_columns = 64;
  int depth_bytes = 64;  // of an element's line in a stage: 64 or 128
  int blocks = 2;        // that share a multiprocessor
  int parts = 1;  // of depth, for blocks of their own where tiles are few; their sums are added up by another kernel

  friend bool operator==(const TensorSchedule&, const TensorSchedule&) = default;
  std::string text() const;
};

// One operand, in elements.
struct TensorOperand {
  int buffer = 0;
  std::int64_t free = 1, depth = 1, batch = 0;  // strides; batch 0: the same for all
  bool is_along_depth() const { return depth == 1; }
};

// A left factor that lies nowhere: windows over images. Row: an image, and where a window begins in it, height outside.
// Depth: a place in the window, height outside, and a channel. Where a window reaches beyond its image, elements are
// missing.
struct TensorImage {
  struct Axis {
    std::int64_t output = 1, kernel = 1, input = 1;  // sizes
    std::int64_t stride = 1, dilation = 1, padding = 0;
    std::int64_t lhs = 0, rhs = 0;  // elements from one place of the image, and of the kernel, to the next
    friend bool operator==(const Axis&, const Axis&) = default;
  };
  Axis height, width;
  std::int64_t channels = 1, image = 0;  // image: elements from one to the next
  friend bool operator==(const TensorImage&, const TensorImage&) = default;
};

// What names of epilogues begin with that take longer than to convert and store sums (has_long_body()). The best tile
// for the plain product is not the best for them.
inline constexpr std::string_view kLongEpilogue = "long+";

struct TensorProblem {
  DType dtype = DType::bf16;  // of the operands
  std::int64_t batches = 1, rows = 1, columns = 1, depth = 1;
  TensorOperand lhs, rhs;
  std::optional<TensorImage> image;  // of lhs; then `depth` of both operands steps from one channel to the next
  std::string epilogue;  // what is done to sums before they are stored, by a name that leaves sizes out; empty: nothing
  bool may_round = false;  // f32 operands may be rounded to tf32
  bool has_long_epilogue() const { return epilogue.starts_with(kLongEpilogue); }
};

// Whether the tensor cores have a form for it; by wgmma only what the tensor memory accelerator can read.
bool fits_engine(const TensorProblem& problem, const CudaTarget& target, TensorEngine engine);
bool fits_tensor_cores(const TensorProblem& problem, const CudaTarget& target);
// All of an engine, the one that its model expects to be fastest first.
std::vector<TensorSchedule> tensor_schedules(const TensorProblem& problem, const CudaTarget& target,
                                             TensorEngine engine);
// Of the engine to be preferred: wgmma where it fits.
std::vector<TensorSchedule> tensor_schedules(const TensorProblem& problem, const CudaTarget& target);
// `is_staged`: the result leaves through the tensor memory accelerator (wgmma alone).
AsyncProgram tensor_program(const TensorProblem& problem, const TensorSchedule& schedule, bool is_staged = false);

// The parts of a kernel around it.
struct TensorKernel {
  std::string functions;   // in front of the kernel
  std::string parameters;  // tensor maps, before the kernel's own parameters
  std::string body;
  int blocks = 1;  // that share a multiprocessor
  runtime::cuda::LaunchShape shape;
  std::vector<runtime::cuda::Parameter> maps;
};
// A result that the tensor memory accelerator can store: lines that lie apart by multiples of 16 bytes, each element
// written once.
struct StagedResult {
  int buffer = 0;
  DType dtype = DType::bf16;
  std::int64_t row_stride = 1, batch_stride = 0;
  // Uses `sums[2]`, `batch_`, `at_row`, `at_column` and `thread`, sets `word`, which holds two elements: of the four
  // columns that begin at `at_column`, thread 0 has the first two and thread 1 the others.
  std::string finish;
  bool reads = false;    // other tensors, which end where the result does
  bool is_long = false;  // too many instructions to stand there once for each sum
};
// What the kernel around it brings.
struct TensorHoles {
  std::string lhs, rhs;                // pointers to the operands
  std::optional<StagedResult> staged;  // instead of `finish`, by an engine that can
  std::string
      finish;  // uses `sums[4]`, `batch_`, `at_row`, `at_column` (and `part`); runs for each vector of four columns
};
// REQUIRES: fits_engine() of the schedule's.
TensorKernel emit_tensor_kernel(const std::string& name, const TensorProblem& problem, const TensorSchedule& schedule,
                                const CudaTarget& target, const TensorHoles& holes);

}  // namespace hyperion::codegen

// tensor_contraction.hpp: `contract` on the tensor cores of sm_90a.
//
// A persistent grid; in each block one warpgroup loads tiles ahead, the others multiply them (async_program.hpp). The sums
// leave through the op's body, four columns at a time. Operands may be contiguous along depth or along rows and columns:
// the tensor cores read 16-bit elements either way, so no transpose is ever made.
//
// f16 and bf16; f32 as tf32, which rounds its factors to 11 bits, where that is asked for. Sums are carried in f32.
#pragma once

#include <optional>

#include "codegen/cuda/async_program.hpp"
#include "codegen/cuda/emit_kernel.hpp"

namespace hyperion::codegen {

// What is tuned.
struct TensorSchedule {
  int rows = 128;           // of a block's tile; of a consumer's own, if they take turns
  int columns = 256;
  int stages = 4;
  int cluster = 1;          // blocks below one another, which share what they load of rhs
  bool takes_turns = false; // each of the two consumers has a tile of its own: one multiplies while the other stores
  int group = 8;            // rows of tiles that are walked column by column, so that operands stay in the second-level cache

  friend bool operator==(const TensorSchedule&, const TensorSchedule&) = default;
  std::string text() const;
};

// One operand, in elements.
struct TensorOperand {
  int buffer = 0;
  std::int64_t free = 1, depth = 1, batch = 0;  // strides; batch 0: the same for all
  bool is_along_depth() const { return depth == 1; }
};

struct TensorProblem {
  DType dtype = DType::bf16;  // of the operands
  std::int64_t batches = 1, rows = 1, columns = 1, depth = 1;
  TensorOperand lhs, rhs;
  std::string epilogue;  // what is done to sums before they are stored, by a name that leaves sizes out; empty: nothing
  bool may_round = false;  // f32 operands may be rounded to tf32
};

// Whether the tensor cores can do it, and the tensor memory accelerator can read it.
bool fits_tensor_cores(const TensorProblem& problem, const CudaTarget& target);
// All that fit, the one that the model expects to be fastest first.
std::vector<TensorSchedule> tensor_schedules(const TensorProblem& problem, const CudaTarget& target);
AsyncProgram tensor_program(const TensorProblem& problem, const TensorSchedule& schedule);

// The parts of a kernel around it.
struct TensorKernel {
  std::string functions;  // in front of the kernel
  std::string parameters; // tensor maps, before the kernel's own parameters
  std::string body;
  runtime::cuda::LaunchShape shape;
  std::vector<runtime::cuda::Parameter> maps;
};
// `finish`: text that uses `sums[4]`, `batch_`, `at_row` and `at_column`; runs for each vector of four columns.
TensorKernel emit_tensor_kernel(const std::string& name, const TensorProblem& problem, const TensorSchedule& schedule, const CudaTarget& target,
                                const std::string& finish);

}  // namespace hyperion::codegen

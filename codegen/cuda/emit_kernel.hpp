// emit_kernel.hpp: a kernel function becomes CUDA C++ that people can read.
//
// A kernel is written for a machine with long vectors. Here that machine is a team of threads: one iteration of the
// parallel loop, a tile, belongs to one team, and each thread of it holds its share of every vector in registers
// (prelude.hpp says which). Scalars are computed by all threads alike. Small teams share a block.
//
//   for parallel tile     blockIdx and the team's number in the block
//   vector value          an array of lanes / threads elements
//   load, store           16 bytes a thread where the address allows, proven by IndexFacts
//   reduce                in the thread, across the warp by shuffles, across warps through shared memory
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codegen/cpp/cpp_scalars.hpp"
#include "codegen/cuda/target.hpp"
#include "codegen/lower/lower.hpp"
#include "ir/module.hpp"
#include "ir/support/status.hpp"
#include "runtime/cuda/object.hpp"
#include "runtime/plan.hpp"

namespace hyperion::codegen {

class ScheduleTable;

// A kernel's work as a function of the number of a block, for kernels that do the work of several launches.
struct CudaPart {
  std::string name, text;
  std::vector<std::string> pointer_types;  // of its parameters after that number: "const float*"
  std::int64_t blocks = 0;
  int threads = 0;  // of a block
  std::int64_t shared_bytes = 0;
};

struct CudaKernelText {
  // Which part of the prelude it needs besides the first.
  enum class Uses : std::uint8_t { nothing, contractions, wgmma, mma, scatter, sort };

  std::string text;
  std::string schedule;  // of a contraction, for dumps
  Uses uses = Uses::nothing;
  runtime::ArithmeticUnit unit = runtime::ArithmeticUnit::vector;  // that the first entry computes with
  std::vector<runtime::cuda::KernelEntry> entries;                 // in the order of their launches
  std::shared_ptr<const CudaPart> part;                  // of a kernel that is nothing but tiles, else null
  std::vector<std::shared_ptr<const CudaPart>> called;  // parts whose text it needs before its own
  std::int64_t workspace_bytes = 0;  // of an extra buffer behind the kernel's parameters; dead afterwards
};

// `uses` launches of one part, which lie behind one another.
struct CudaJoinedPart {
  std::shared_ptr<const CudaPart> part;
  int uses = 0;
};
// One launch that does the work of many: each block asks which part it belongs to. The buffers are those of all uses in
// their order, in one parameter. REQUIRES: all uses are independent of one another.
CudaKernelText join_cuda_kernels(const std::string& name, std::span<const CudaJoinedPart> parts,
                                 const CudaTarget& target);

// REQUIRES: verify() accepts the kernel, and its vectors are multiples of lowered.team; buffers begin where their
// chunks may: a multiple of 16 bytes. Scalar functions that the kernel calls are added to `scalars`; `schedules`
// chooses for products. Errors: unimplemented for a type that cannot compute.
StatusOr<CudaKernelText> emit_cuda_kernel(const ir::Function& kernel, const Lowered& lowered, const CudaTarget& target,
                                          CppScalarFunctions& scalars, ScheduleTable& schedules);

}  // namespace hyperion::codegen

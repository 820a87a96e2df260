// wgmma_schedules.hpp: which tiles wgmma multiplies, what they take of a block's memory, and what they are expected to
// cost. Internal to tensor_contraction.
#pragma once

#include "codegen/cuda/tensor_contraction.hpp"
#include "codegen/cuda/tensor_text.hpp"

namespace hyperion::codegen {

inline constexpr int kRowBytes = 128;   // of a swizzled tile: elements of depth, or of a free axis
inline constexpr int kWarpgroup = 128;  // threads
inline constexpr int kConsumers = 2;
inline constexpr int kBarrierBytes = 256;
// A warp's piece of the result on its way out: 16 rows of a swizzled tile.
inline constexpr int kStagingRows = 16;
inline constexpr int kStagingBytes = kStagingRows * kRowBytes;

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

inline int element_bytes(const TensorProblem& problem) { return static_cast<int>(byte_size(problem.dtype)); }
// Elements of depth in one stage, and in one product.
inline int stage_depth(const TensorProblem& problem) { return kRowBytes / element_bytes(problem); }
inline int product_depth(const TensorProblem& problem) { return 32 / element_bytes(problem); }

inline int consumer_rows(const TensorSchedule& s) { return s.takes_turns ? s.rows : s.rows / kConsumers; }
inline int thread_sums(const TensorSchedule& s) { return consumer_rows(s) * s.columns / kWarpgroup; }
// Of a thread's 232 registers, the rest of which a long body works in. With 192 it took a sixth longer.
inline constexpr int kMostLongSums = 128;
inline int stage_bytes(const TensorSchedule& s) { return (s.rows + s.columns) * kRowBytes; }
// Of a warp, where elements have 16 bits.
inline int result_pieces(const TensorSchedule& s) { return consumer_rows(s) / 64 * (s.columns / 64); }
// Two where they fit behind the ring, so that a piece is laid out while the one before is stored. Every tile begins
// with the first.
int staging_buffers(const TensorSchedule& s);
// Behind the ring: for each warp of the consumers a slab of sums, or its staging buffers.
int result_bytes(const TensorSchedule& s);
inline int shared_bytes(const TensorSchedule& s) { return s.stages * stage_bytes(s) + result_bytes(s) + kBarrierBytes; }

// All that fit, the one that is expected to be fastest first.
std::vector<TensorSchedule> wgmma_schedules(const TensorProblem& problem, const CudaTarget& target);

}  // namespace hyperion::codegen

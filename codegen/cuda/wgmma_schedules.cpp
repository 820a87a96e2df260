#include "codegen/cuda/wgmma_schedules.hpp"

#include <algorithm>
#include <cmath>

#include "codegen/cuda/tensor_loads.hpp"

namespace hyperion::codegen {
namespace {

constexpr int kConsumerWarps = kConsumers * kWarpgroup / 32;
// Of shared memory in a block of sm_90.
constexpr int kMostShared = 227 * 1024;

int least_result_bytes() { return kConsumerWarps * std::max(kWarpSlabBytes, kStagingBytes); }

// Cycles of one multiprocessor for the whole product: its tensor cores take 4096 bytes' worth of factors in one (2048
// multiply-adds of 16 bits), the second-level cache gives it about 40. The constants fit what `hyperion tune` measured
// on an H200 for 20 products of 1,024 to 50,304: the pick is within 5 % of the best of 20 schedules, 1 % on average.
// Stores by the tensor memory accelerator are faster than kSumsStored says, but waits of consumers for one another are
// in it, and with it the pick is within 1 % of the best of ten products measured since. Long bodies are bound by the
// instructions that erf takes, which two consumers share, and which the last one has for itself.
double expected_cycles(const TensorProblem& problem, const TensorSchedule& s, const CudaTarget& target) {
  constexpr double kStart = 2500, kClusterStart = 1500, kCacheBytes = 40, kSumsStored = 2, kLongSumsStored = 0.9;
  constexpr double kManyWaves = 8;
  const double clusters = static_cast<double>(target.multiprocessors / s.cluster);
  const double tiles = static_cast<double>(problem.batches) *
                       static_cast<double>(divide_up(divide_up(problem.rows, s.rows), s.cluster)) *
                       static_cast<double>(divide_up(problem.columns, s.columns));
  const double depth = static_cast<double>(depth_steps(problem));
  const double products = s.rows * s.columns * static_cast<double>(kRowBytes) / 4096.0;
  const double bytes = (s.rows + static_cast<double>(s.columns) / s.cluster) * kRowBytes;
  // An image is small beside what is read of it, so the cache gives more; but gathered pixels come one by one. The
  // constants fit seven layers of ResNet-50 on an H200: the pick is within 6 % of the best of 20, 1 % on average.
  constexpr double kImageCacheBytes = 80, kPixel = 5.4, kWindows = 400;
  const double loads = problem.image ? std::max(bytes / kImageCacheBytes, s.rows * kPixel) : bytes / kCacheBytes;
  const double main = depth * std::max(products, loads) + (problem.image ? kWindows : 0);
  const bool is_long = problem.has_long_epilogue();
  const double epilogue = s.rows * s.columns / (is_long ? kLongSumsStored : kSumsStored);
  // With many waves the last one's gaps fill: blocks drift apart.
  double waves = std::ceil(tiles / clusters);
  if (waves >= kManyWaves) waves = (waves + tiles / clusters) / 2;
  const double start = kStart + (s.cluster > 1 ? kClusterStart : 0);
  const double last = is_long ? epilogue / 2 : epilogue;
  if (s.takes_turns) return waves * std::max(main, (main + epilogue) / 2) + last + start;
  return waves * (main + epilogue / 2) + start;
}

}  // namespace

int staging_buffers(const TensorSchedule& s) {
  const int two = 2 * kConsumerWarps * kStagingBytes;
  return result_pieces(s) % 2 == 0 && s.stages * stage_bytes(s) + two + kBarrierBytes <= kMostShared ? 2 : 1;
}

int result_bytes(const TensorSchedule& s) {
  return std::max(least_result_bytes(), staging_buffers(s) * kConsumerWarps * kStagingBytes);
}

std::vector<TensorSchedule> wgmma_schedules(const TensorProblem& problem, const CudaTarget& target) {
  std::vector<TensorSchedule> all;
  const auto add = [&](int rows, int columns, int cluster, bool takes_turns) {
    TensorSchedule s{.rows = rows, .columns = columns, .stages = 0, .cluster = cluster, .takes_turns = takes_turns};
    if (problem.has_long_epilogue() && thread_sums(s) > kMostLongSums) return;
    s.stages = std::min((target.block_shared_bytes - least_result_bytes() - kBarrierBytes) / stage_bytes(s), 12);
    // Shares of an operand that lies along rows or columns are whole boxes.
    const bool has_boxes = problem.rhs.is_along_depth() || columns / cluster % 64 == 0;
    if (s.stages >= 3 && has_boxes) all.push_back(s);
  };
  for (int cluster : {2, 1}) {
    // Nobody to share with.
    if (cluster > 1 && problem.rows <= 128) continue;
    add(128, 256, cluster, false);
    add(256, 128, cluster, false);
    add(128, 192, cluster, false);
    add(128, 128, cluster, false);
    // Sums that are made again want registers, beside 192 that are there.
    if (!problem.image) add(128, 192, cluster, true);
    add(128, 128, cluster, true);
    add(64, 256, cluster, true);
    add(64, 192, cluster, true);
    add(64, 128, cluster, true);
    if (cluster == 1) add(64, 64, cluster, true);
    if (cluster == 1) add(128, 64, cluster, false);
    // So few are all columns there are: what is read of lhs counts.
    if (cluster == 1 && problem.columns <= 64) add(128, 64, cluster, true), add(256, 64, cluster, false);
  }
  std::ranges::stable_sort(all, std::less<>(),
                           [&](const TensorSchedule& s) { return expected_cycles(problem, s, target); });
  return all;
}

}  // namespace hyperion::codegen

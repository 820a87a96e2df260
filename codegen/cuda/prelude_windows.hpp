// prelude_windows.hpp: where the windows of a convolution read, and sums of what is there.
#pragma once

#include <string_view>

namespace hyperion::codegen {

inline constexpr std::string_view kCudaWindowsPrelude = R"prelude(
// ---- windows of convolutions -----------------------------------------------------------------------------------

// The input position that output position o reads at kernel position t, or -1.
template <int kInput, int kStride, int kDilation, int kInputDilation, int kPadding>
int source(int o, int t) {
  const int place = o * kStride + t * kDilation - kPadding;
  if (place < 0 || place % kInputDilation != 0 || place / kInputDilation >= kInput) return -1;
  return place / kInputDilation;
}

// The tensor cores read missing elements as zero. That adds nothing to a sum, unless it meets a weight that is not finite:
// then the sum is NaN, where a missing element should have been left out. So sums that are NaN are made again, from what is
// there, if the window's first or last element is missing. Problem: as contract_fma has it.
template <class Problem, int kLanes>
void sum_present(const Problem& problem, int row, int column, const float (&sums)[kLanes], float (&present)[kLanes]) {
  bool has_nan = false;
  HYP_EACH(i, kLanes) has_nan |= sums[i] != sums[i], present[i] = sums[i];
  if (!has_nan || (problem.has(row, 0) && problem.has(row, Problem::kDepth - 1))) return;
  float again[kLanes];
  HYP_EACH(i, kLanes) again[i] = 0;
#pragma unroll 1
  for (int k = 0; k < Problem::kDepth; ++k) {
    if (!problem.has(row, k)) continue;
    HYP_EACH(i, kLanes) again[i] = fma(problem.lhs(row, k), problem.rhs(k, column + i), again[i]);
  }
  HYP_EACH(i, kLanes) if (sums[i] != sums[i]) present[i] = again[i];
}
)prelude";

}  // namespace hyperion::codegen

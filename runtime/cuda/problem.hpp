// problem.hpp: what can be wrong on the GPU side, one table (problems.def) of ids, codes and
// advice.
//
// The library never prints; a problem is a Status:
//   "unavailable: libcuda.so.1: cannot open shared object file [cuda.no_driver]; install the driver
//   ..."
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ir/support/status.hpp"

namespace hyperion::runtime::cuda {

enum class Problem : std::uint8_t {
#define HYP_CUDA_PROBLEM(id, code, summary, advice) id,
#include "runtime/cuda/problems.def"
#undef HYP_CUDA_PROBLEM
};

struct ProblemInfo {
  Problem problem;
  std::string_view id;  // "cuda.no_driver"
  Code code;
  std::string_view summary;
  std::string_view advice;
};

// In the order of the table.
std::span<const ProblemInfo> all_problems();
const ProblemInfo& info(Problem problem);

// `what` says what happened, with the values; empty: the table's summary.
Status problem_status(Problem problem, std::string what, std::string where = {});
std::unexpected<Status> problem_error(Problem problem, std::string what, std::string where = {});
// Whether a Status is this problem.
bool is_problem(const Status& status, Problem problem);

}  // namespace hyperion::runtime::cuda

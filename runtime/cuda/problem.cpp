#include "runtime/cuda/problem.hpp"

#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime::cuda {
namespace {

constexpr ProblemInfo kProblems[] = {
#define HYP_CUDA_PROBLEM(id, code, summary, advice) \
  {Problem::id, "cuda." #id, Code::code, summary, advice},
#include "runtime/cuda/problems.def"
#undef HYP_CUDA_PROBLEM
};

}  // namespace

std::span<const ProblemInfo> all_problems() { return kProblems; }

const ProblemInfo& info(Problem problem) { return kProblems[static_cast<std::size_t>(problem)]; }

Status problem_status(Problem problem, std::string what, std::string where) {
  const ProblemInfo& about = info(problem);
  if (what.empty()) what = about.summary;
  return {about.code, format("{} [{}]", what, about.id), std::move(where),
          std::string(about.advice)};
}

std::unexpected<Status> problem_error(Problem problem, std::string what, std::string where) {
  return std::unexpected(problem_status(problem, std::move(what), std::move(where)));
}

bool is_problem(const Status& status, Problem problem) {
  return status.message.ends_with(format("[{}]", info(problem).id));
}

}  // namespace hyperion::runtime::cuda

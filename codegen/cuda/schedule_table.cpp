#include "codegen/cuda/schedule_table.hpp"

#include <map>
#include <mutex>

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

struct Table {
  std::mutex mutex;
  std::map<std::string, TensorSchedule> measured;

  static Table& get() {
    static auto* table = new Table;
    return *table;
  }
};

}  // namespace

std::string schedule_key(const TensorProblem& problem, const CudaTarget& target) {
  return format("{} {}{} {}x{}x{}x{} on {} {}{}", dtype_name(problem.dtype), problem.lhs.is_along_depth() ? "N" : "T",
                problem.rhs.is_along_depth() ? "T" : "N", problem.batches, problem.rows, problem.columns, problem.depth,
                target.architecture, target.multiprocessors, target.wgmma ? "" : " without wgmma");
}

std::optional<TensorSchedule> known_schedule(const TensorProblem& problem, const CudaTarget& target) {
  Table& table = Table::get();
  std::lock_guard lock(table.mutex);
  const auto found = table.measured.find(schedule_key(problem, target));
  return found == table.measured.end() ? std::nullopt : std::optional(found->second);
}

void set_schedule(const TensorProblem& problem, const CudaTarget& target, const TensorSchedule& schedule) {
  Table& table = Table::get();
  std::lock_guard lock(table.mutex);
  table.measured.insert_or_assign(schedule_key(problem, target), schedule);
}

TensorSchedule choose_schedule(const TensorProblem& problem, const CudaTarget& target) {
  // The key says nothing of strides, and not every engine reads all of them.
  const auto known = known_schedule(problem, target);
  if (known && fits_engine(problem, target, known->engine)) return *known;
  const std::vector<TensorSchedule> schedules = tensor_schedules(problem, target);
  HYP_CHECK(!schedules.empty(), "no schedule fits a product that fits the tensor cores");
  return schedules.front();
}

}  // namespace hyperion::codegen

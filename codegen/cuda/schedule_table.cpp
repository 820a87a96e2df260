#include "codegen/cuda/schedule_table.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

constexpr ShippedSchedule kShipped[] = {
#define HYP_SCHEDULE(device, multiprocessors, problem, schedule) {device, multiprocessors, problem, schedule},
#include "codegen/cuda/schedules.def"
#undef HYP_SCHEDULE
    {}};  // an array has at least one element

// The class itself, then the one of the plain product.
std::vector<runtime::TuningProblem> names_of(const runtime::TuningProblem& name) {
  std::vector<runtime::TuningProblem> names{name};
  if (!name.epilogue.empty()) {
    names.push_back(name);
    names.back().epilogue.clear();
  }
  return names;
}

// Those of them whose measured times hold for the class.
std::vector<runtime::TuningProblem> measured_names_of(const runtime::TuningProblem& name) {
  if (name.epilogue.starts_with(kLongEpilogue)) return {name};
  return names_of(name);
}

}  // namespace

std::vector<TensorSchedule> all_schedules(const TensorProblem& problem, const CudaTarget& target) {
  constexpr int kOtherGroups[] = {4, 16};
  std::vector<TensorSchedule> all = tensor_schedules(problem, target);
  const std::size_t count = all.size();
  for (const int group : kOtherGroups) {
    for (std::size_t k = 0; k < count; ++k) {
      all.push_back(all[k]);
      all.back().group = group;
    }
  }
  return all;
}

std::optional<TensorSchedule> read_schedule(std::string_view text, const TensorProblem& problem,
                                            const CudaTarget& target) {
  for (const TensorSchedule& schedule : all_schedules(problem, target)) {
    if (schedule.text() == text) return schedule;
  }
  return std::nullopt;
}

std::span<const ShippedSchedule> shipped_schedules() { return std::span(kShipped).first(std::size(kShipped) - 1); }

std::string_view origin_name(ScheduleOrigin origin) {
  constexpr std::string_view kNames[] = {"pinned", "measured here", "from the table", "the model's pick"};
  return kNames[static_cast<std::size_t>(origin)];
}

runtime::TuningMachine machine_of(const CudaTarget& target) {
  return {.device = target.device, .multiprocessors = target.multiprocessors, .driver = target.driver};
}

ScheduleTable::ScheduleTable(std::shared_ptr<runtime::TuningStore> store, std::span<const ShippedSchedule> shipped)
    : store_(std::move(store)), shipped_(shipped) {}

void ScheduleTable::pin(const TensorProblem& problem, const TensorSchedule& schedule) {
  pinned_.insert(pinned_.begin(), {problem_class(problem), schedule});
}

std::string ScheduleTable::record_of(const runtime::TuningProblem& name, const CudaTarget& target) const {
  // Code for a machine that is not here: nothing was measured on it.
  if (store_ == nullptr || target.device.empty()) return {};
  for (const runtime::TuningProblem& one : measured_names_of(name)) {
    if (const auto best = store_->best(one, machine_of(target))) return best->schedule;
  }
  return {};
}

ChosenSchedule ScheduleTable::choose(const TensorProblem& problem, const CudaTarget& target) {
  const runtime::TuningProblem name = problem_class(problem);
  const std::string record = record_of(name, target);
  if (std::ranges::find(asked_, name, &Asked::name) == asked_.end()) asked_.push_back({problem, name, record});
  for (const runtime::TuningProblem& one : names_of(name)) {
    for (const auto& [pinned, schedule] : pinned_) {
      if (pinned == one) return {schedule, ScheduleOrigin::pinned};
    }
  }
  if (const auto measured = read_schedule(record, problem, target)) return {*measured, ScheduleOrigin::measured};
  for (const runtime::TuningProblem& one : measured_names_of(name)) {
    const std::string text = one.text();
    for (const ShippedSchedule& shipped : shipped_) {
      if (shipped.device != target.device || shipped.multiprocessors != target.multiprocessors ||
          shipped.problem != text)
        continue;
      if (const auto schedule = read_schedule(shipped.schedule, problem, target))
        return {*schedule, ScheduleOrigin::shipped};
    }
  }
  const std::vector<TensorSchedule> schedules = tensor_schedules(problem, target);
  HYP_CHECK(!schedules.empty(), "no schedule fits a product that fits the tensor cores");
  return {schedules.front(), ScheduleOrigin::model};
}

}  // namespace hyperion::codegen

// schedule_table.hpp: which schedule a product on the tensor cores gets. The first of these that there is:
//
//   pinned     said by tests, and by `hyperion tune` while it measures
//   measured   the fastest that was measured on this machine and kept (runtime/tuning_store.hpp)
//   shipped    the fastest that was measured on such a machine when Hyperion was made (schedules.def)
//   model      what tensor_schedules() expects to be fastest
//
// Measured times of a problem with another epilogue are used where its own was not measured: of the plain product,
// whose main loop is the same; not where the epilogue takes as long as the products. Nothing is ever measured here.
//
// A schedule that was read from somewhere is used only if it is one of those that we print for the problem. So a
// damaged record can cost time, never a result.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/cuda/tensor_problem.hpp"

namespace hyperion::codegen {

// All that fit, the one that the model expects to be fastest first, then the same with other walks over the tiles.
std::vector<TensorSchedule> all_schedules(const TensorProblem& problem, const CudaTarget& target);
// The one of them whose text() it is: the only way from text to a schedule.
std::optional<TensorSchedule> read_schedule(std::string_view text, const TensorProblem& problem,
                                            const CudaTarget& target);

// A line of schedules.def.
struct ShippedSchedule {
  std::string_view device;  // "NVIDIA H200"
  int multiprocessors = 0;
  std::string_view problem, schedule;  // both as their text() gives them
};
std::span<const ShippedSchedule> shipped_schedules();

enum class ScheduleOrigin { pinned, measured, shipped, model };
std::string_view origin_name(ScheduleOrigin origin);

struct ChosenSchedule {
  TensorSchedule schedule;
  ScheduleOrigin origin = ScheduleOrigin::model;
};

runtime::TuningMachine machine_of(const CudaTarget& target);

// The choices of one compilation. One thread at a time.
class ScheduleTable {
 public:
  // Without a store nothing counts as measured.
  explicit ScheduleTable(std::shared_ptr<runtime::TuningStore> store = nullptr,
                         std::span<const ShippedSchedule> shipped = shipped_schedules());

  // For this class of problems; where its epilogue is empty, with any.
  void pin(const TensorProblem& problem, const TensorSchedule& schedule);

  // REQUIRES: fits_tensor_cores(problem, target).
  ChosenSchedule choose(const TensorProblem& problem, const CudaTarget& target);

  // What the store says of a class, "" if nothing: all that choose() may answer differently to, from one time to the
  // next.
  std::string record_of(const runtime::TuningProblem& name, const CudaTarget& target) const;
  // What choose() was asked, and the record that it found; each once, in order.
  struct Asked {
    TensorProblem problem;
    runtime::TuningProblem name;
    std::string record;
  };
  const std::vector<Asked>& asked() const { return asked_; }

 private:
  std::shared_ptr<runtime::TuningStore> store_;
  std::span<const ShippedSchedule> shipped_;
  std::vector<std::pair<runtime::TuningProblem, TensorSchedule>> pinned_;
  std::vector<Asked> asked_;
};

}  // namespace hyperion::codegen

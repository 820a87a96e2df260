// tune.hpp: measures the schedules of a product on the tensor cores, on the GPU at hand.
#pragma once

#include <functional>
#include <vector>

#include "codegen/cuda/tensor_contraction.hpp"
#include "codegen/driver/run.hpp"

namespace hyperion::codegen {

struct MeasuredSchedule {
  TensorSchedule schedule;
  double seconds = 0;  // of one product: median over runs, operands not in the cache where they do not fit several times
};

struct TuneOptions {
  int candidates = 10;    // of the schedules, in the order of the model's expectation
  double seconds = 0.03;  // to measure each for
  std::function<void(const MeasuredSchedule&)> measured;  // told of each
};

// A problem whose operands are dense, by the layout's letters: "NT" is lhs[rows, depth] and rhs[columns, depth].
TensorProblem dense_problem(DType dtype, std::string_view layout, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                            std::int64_t batches = 1);
// A function @product of two operands of that problem.
std::unique_ptr<ir::Module> product_module(const TensorProblem& problem);

// The fastest first; it is the table's choice from then on. `site` is a GPU that `target` is for.
StatusOr<std::vector<MeasuredSchedule>> tune(const TensorProblem& problem, const CudaTarget& target, const RunSite& site, const TuneOptions& options = {});

}  // namespace hyperion::codegen

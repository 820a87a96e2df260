#include "codegen/driver/tune.hpp"

#include <algorithm>
#include <chrono>
#include <random>

#include "codegen/cuda/schedule_table.hpp"
#include "codegen/llvm/code_loader.hpp"
#include "ir/builder.hpp"
#include "ir/support/format.hpp"
#include "runtime/executor.hpp"

namespace hyperion::codegen {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kCacheBytes = 256 << 20;  // several times any second-level cache

// Numbers like those of a trained network: zeros or repeated patterns would draw less power, and run faster.
StatusOr<runtime::BufferView> random_operand(const runtime::Device& device, Type type, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  const std::size_t size = byte_size(type.dtype()), period = 1'000'003;
  std::vector<std::byte> bytes(type.bytes());
  const std::size_t count = bytes.size() / size;
  for (std::size_t k = 0; k < std::min(count, period); ++k) element_from_double(type.dtype(), normal(random), bytes.data() + k * size);
  for (std::size_t k = period; k < count; k += period) {
    std::copy_n(bytes.data(), std::min(period, count - k) * size, bytes.data() + k * size);
  }
  return runtime::BufferView::from_host(device, type.dtype(), type.sizes(), bytes);
}

struct OperandSet {
  std::vector<runtime::BufferView> arguments;
};

StatusOr<double> measure(runtime::Executor& executor, runtime::FunctionId function, const std::vector<OperandSet>& sets,
                         const runtime::Device& device, double wanted_seconds) {
  std::vector<runtime::BufferView> outputs;
  std::byte one;
  const auto run = [&](int count) -> StatusOr<double> {
    const auto start = Clock::now();
    for (int k = 0; k < count; ++k) {
      outputs.clear();
      HYP_TRY_VOID(executor.execute_now(function, sets[static_cast<std::size_t>(k) % sets.size()].arguments, outputs));
    }
    HYP_TRY_VOID(device.backend().download(std::span(&one, 1), static_cast<const std::byte*>(outputs[0].buffer().data())));
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  HYP_TRY_VOID(run(static_cast<int>(3 * sets.size())));
  HYP_TRY(const double estimate, run(4));
  const int count = static_cast<int>(std::clamp(wanted_seconds / 3 / std::max(estimate / 4, 1e-6), 4.0, 2000.0));
  std::vector<double> samples;
  for (int k = 0; k < 3; ++k) {
    HYP_TRY(const double seconds, run(count));
    samples.push_back(seconds / count);
  }
  std::ranges::sort(samples);
  return samples[1];
}

}  // namespace

TensorProblem dense_problem(DType dtype, std::string_view layout, std::int64_t rows, std::int64_t columns, std::int64_t depth, std::int64_t batches) {
  const bool lhs = layout[0] == 'N', rhs = layout[1] == 'T';
  TensorProblem out{.dtype = dtype, .batches = batches, .rows = rows, .columns = columns, .depth = depth};
  out.lhs = {.buffer = 0, .free = lhs ? depth : 1, .depth = lhs ? 1 : rows, .batch = batches > 1 ? rows * depth : 0};
  out.rhs = {.buffer = 1, .free = rhs ? depth : 1, .depth = rhs ? 1 : columns, .batch = batches > 1 ? columns * depth : 0};
  return out;
}

std::unique_ptr<ir::Module> product_module(const TensorProblem& problem) {
  auto module = std::make_unique<ir::Module>("product");
  ir::Builder b(module->add("product"), module.get());
  const auto operand = [&](const TensorOperand& of, std::int64_t free) {
    ir::Dims dims;
    if (problem.batches > 1) dims.push_back(Dim(problem.batches));
    dims.push_back(Dim(of.is_along_depth() ? free : problem.depth));
    dims.push_back(Dim(of.is_along_depth() ? problem.depth : free));
    return b.parameter(Type(problem.dtype, dims));
  };
  const ir::Value x = operand(problem.lhs, problem.rows), w = operand(problem.rhs, problem.columns);
  const std::int64_t first = problem.batches > 1 ? 1 : 0;
  const ir::Integers batch = problem.batches > 1 ? ir::Integers{0} : ir::Integers{};
  b.return_values(std::vector{b.apply("dot", {x, w}, {{"lhs_batch", batch},
                                                      {"rhs_batch", batch},
                                                      {"lhs_contract", ir::Integers{problem.lhs.is_along_depth() ? first + 1 : first}},
                                                      {"rhs_contract", ir::Integers{problem.rhs.is_along_depth() ? first + 1 : first}}})});
  return module;
}

StatusOr<std::vector<MeasuredSchedule>> tune(const TensorProblem& problem, const CudaTarget& target, const RunSite& site, const TuneOptions& options) {
  if (!fits_tensor_cores(problem, target)) {
    return error_status(Code::invalid_argument, "the tensor cores of this GPU have no form for this product", target.key());
  }
  const std::unique_ptr<ir::Module> module = product_module(problem);
  const ir::Function& function = *module->find("product");
  std::uint64_t set_bytes = 0;
  for (Type type : function.parameter_types()) set_bytes += type.bytes();
  std::vector<OperandSet> sets(static_cast<std::size_t>(std::clamp<std::uint64_t>(kCacheBytes / std::max<std::uint64_t>(set_bytes, 1), 1, 16)));
  for (std::size_t s = 0; s < sets.size(); ++s) {
    for (std::size_t k = 0; k < 2; ++k) {
      HYP_TRY(auto view, random_operand(site.device, function.type(function.parameters()[k]), 2 * s + k));
      sets[s].arguments.push_back(std::move(view));
    }
  }
  HYP_TRY(const runtime::DeviceCluster cluster, runtime::DeviceCluster::create(site.instance, std::span(&site.device, 1)));
  std::vector<MeasuredSchedule> measured;
  std::vector<TensorSchedule> schedules = tensor_schedules(problem, target);
  if (static_cast<int>(schedules.size()) > options.candidates) schedules.resize(static_cast<std::size_t>(options.candidates));
  for (const TensorSchedule& schedule : schedules) {
    set_schedule(problem, target, schedule);
    const std::unique_ptr<ir::Module> copy = module->clone();
    HYP_TRY(runtime::Module compiled, compile(*copy, "product", {.target = target}));
    HYP_TRY(const auto executor, runtime::Executor::create(cluster, {std::make_shared<const runtime::Module>(std::move(compiled))}));
    HYP_TRY(const double seconds, measure(*executor, *executor->find("product"), sets, site.device, options.seconds));
    measured.push_back({schedule, seconds});
    if (options.measured) options.measured(measured.back());
  }
  std::ranges::stable_sort(measured, std::less<>(), &MeasuredSchedule::seconds);
  set_schedule(problem, target, measured.front().schedule);
  return measured;
}

}  // namespace hyperion::codegen

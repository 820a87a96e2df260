#include "codegen/driver/tune.hpp"

#include <algorithm>
#include <random>

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
  for (std::size_t k = 0; k < std::min(count, period); ++k) {
    element_from_double(type.dtype(), normal(random), bytes.data() + k * size);
  }
  for (std::size_t k = period; k < count; k += period) {
    std::copy_n(bytes.data(), std::min(period, count - k) * size, bytes.data() + k * size);
  }
  return runtime::BufferView::from_host(device, type.dtype(), type.sizes(), bytes);
}

using OperandSets = std::vector<std::vector<runtime::BufferView>>;

StatusOr<OperandSets> random_operands(const ir::Function& function, const runtime::Device& device) {
  std::uint64_t set_bytes = 0;
  for (const Type type : function.parameter_types()) set_bytes += type.bytes();
  OperandSets sets(
      static_cast<std::size_t>(std::clamp<std::uint64_t>(kCacheBytes / std::max<std::uint64_t>(set_bytes, 1), 1, 16)));
  std::uint64_t seed = 0;
  for (auto& set : sets) {
    for (const Type type : function.parameter_types()) {
      HYP_TRY(set.emplace_back(), random_operand(device, type, seed++));
    }
  }
  return sets;
}

StatusOr<Timing> measure(runtime::Executor& executor, runtime::FunctionId function, const OperandSets& sets,
                         const runtime::Device& device, double wanted_seconds) {
  constexpr std::size_t kSamples = 7;
  std::vector<runtime::BufferView> outputs;
  std::byte one;
  const auto run = [&](std::int64_t count) -> StatusOr<double> {
    const auto start = Clock::now();
    for (std::int64_t k = 0; k < count; ++k) {
      outputs.clear();
      HYP_TRY_VOID(executor.execute_now(function, sets[static_cast<std::size_t>(k) % sets.size()], outputs));
    }
    HYP_TRY_VOID(
        device.backend().download(std::span(&one, 1), static_cast<const std::byte*>(outputs[0].buffer().data())));
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  HYP_TRY_VOID(run(static_cast<std::int64_t>(3 * sets.size())));
  HYP_TRY(const double estimate, run(4));
  const auto count =
      static_cast<std::int64_t>(std::clamp(wanted_seconds / kSamples / std::max(estimate / 4, 1e-6), 4.0, 2000.0));
  std::vector<double> samples;
  for (std::size_t k = 0; k < kSamples; ++k) {
    HYP_TRY(const double seconds, run(count));
    samples.push_back(seconds / static_cast<double>(count));
  }
  std::ranges::sort(samples);
  return Timing{.seconds = samples[kSamples / 2],
                .spread = samples[kSamples * 3 / 4] - samples[kSamples / 4],
                .runs = count * static_cast<std::int64_t>(kSamples)};
}

// What a subject's schedules are timed with; made once.
struct TimedSubject {
  TuneSubject subject;
  CudaTarget target;
  RunSite site;
  double seconds;
  std::shared_ptr<runtime::DeviceCluster> cluster;
  OperandSets operands;

  StatusOr<Timing> time(const TensorSchedule& schedule) const {
    ScheduleTable table;
    table.pin(subject.problem, schedule);
    const std::unique_ptr<ir::Module> copy = subject.module->clone();
    HYP_TRY(runtime::Module compiled,
            compile(*copy, subject.function, {.target = target, .fast = subject.fast, .schedules = &table}));
    HYP_TRY(const auto executor,
            runtime::Executor::create(*cluster, {std::make_shared<const runtime::Module>(std::move(compiled))}));
    return measure(*executor, *executor->find(subject.function), operands, site.device, seconds);
  }
};

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A function @product of two operands of that problem.
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
  b.return_values(
      std::vector{b.apply("dot", {x, w},
                          {{"lhs_batch", batch},
                           {"rhs_batch", batch},
                           {"lhs_contract", ir::Integers{problem.lhs.is_along_depth() ? first + 1 : first}},
                           {"rhs_contract", ir::Integers{problem.rhs.is_along_depth() ? first + 1 : first}}})});
  return module;
}

}  // namespace

double TuneSubject::flops() const {
  return 2.0 * static_cast<double>(problem.batches) * static_cast<double>(problem.rows) *
         static_cast<double>(problem.columns) * static_cast<double>(problem.depth);
}

TuneSubject product_subject(const TensorProblem& problem) {
  return {.module = product_module(problem), .function = "product", .problem = problem};
}

StatusOr<std::vector<TuneSubject>> subjects_of(const ir::Module& module, const std::string& function,
                                               const CudaTarget& target, bool fast) {
  // The groups as they are before they become kernels; each is then compiled for itself, to hear what it asks for.
  std::unique_ptr<ir::Module> groups;
  StageListener listener{.wants_code = false};
  listener.module = [&](Stage stage, const ir::Module& shown) {
    if (stage == Stage::fused) groups = shown.clone();
  };
  const std::unique_ptr<ir::Module> copy = module.clone();
  HYP_TRY_VOID(compile(*copy, function, {.target = target, .fast = fast}, listener));
  std::vector<TuneSubject> subjects;
  for (const auto& group : groups->functions()) {
    const auto is_product = [&](ir::OpId id) { return group->op(id).definition->anchor == ir::Anchor::contraction; };
    if (group->kind != ir::FunctionKind::func || std::ranges::count_if(group->ops(), is_product) != 1) continue;
    auto alone = std::make_shared<ir::Module>(group->name);
    alone->add(ir::clone(*group, group->name));
    ScheduleTable table;
    const std::unique_ptr<ir::Module> compiled = alone->clone();
    HYP_TRY_VOID(
        compile(*compiled, group->name, {.target = target, .fast = fast, .schedules = &table}, {.wants_code = false}));
    if (table.asked().size() != 1) continue;
    const auto& [problem, name, record] = table.asked()[0];
    if (std::ranges::find(subjects, name, &TuneSubject::name) != subjects.end()) continue;
    subjects.push_back({.module = std::move(alone), .function = group->name, .problem = problem, .fast = fast});
  }
  return subjects;
}

StatusOr<ScheduleTimer> device_timer(const TuneSubject& subject, const CudaTarget& target, const RunSite& site,
                                     double seconds) {
  auto timed = std::make_shared<TimedSubject>(
      TimedSubject{.subject = subject, .target = target, .site = site, .seconds = seconds});
  HYP_TRY(timed->operands, random_operands(*subject.module->find(subject.function), site.device));
  HYP_TRY(auto cluster, runtime::DeviceCluster::create(site.instance, std::span(&site.device, 1)));
  timed->cluster = std::make_shared<runtime::DeviceCluster>(std::move(cluster));
  return [timed](const TensorSchedule& schedule) { return timed->time(schedule); };
}

StatusOr<TuneResult> tune(const TuneSubject& subject, const CudaTarget& target, const ScheduleTimer& timer,
                          runtime::TuningStore& store, const TuneOptions& options) {
  const TensorProblem& problem = subject.problem;
  const runtime::TuningProblem name = subject.name();
  const runtime::TuningMachine machine = machine_of(target);
  if (!fits_tensor_cores(problem, target)) {
    return error_status(Code::invalid_argument, format("the tensor cores of this GPU have no form for {}", name.text()),
                        target.key());
  }
  std::vector<TensorSchedule> schedules = tensor_schedules(problem, target);
  if (schedules.size() > static_cast<std::size_t>(options.candidates))
    schedules.resize(static_cast<std::size_t>(options.candidates));
  const std::size_t tile_count = schedules.size(),
                    walks = all_schedules(problem, target).size() / tensor_schedules(problem, target).size() - 1;

  TuneResult result;
  const auto fastest_first = [&] {
    std::ranges::stable_sort(result.measured, std::less<>(), &runtime::TuningRecord::seconds);
  };
  if (!options.again) result.measured = store.measured(name, machine);
  for (std::size_t k = 0; k < schedules.size(); ++k) {
    const std::string text = schedules[k].text();
    if (std::ranges::find(result.measured, text, &runtime::TuningRecord::schedule) == result.measured.end()) {
      const bool is_late = options.deadline && std::chrono::steady_clock::now() >= *options.deadline;
      if (is_late && !result.measured.empty()) {
        result.is_complete = false;
        break;
      }
      HYP_TRY(const Timing time, timer(schedules[k]));
      const runtime::TuningRecord record{text,      time.seconds,         time.spread,
                                         time.runs, options.peer_seconds, now_seconds()};
      if (!store.put(name, machine, record)) {
        return error_status(Code::unavailable, "what is measured cannot be kept", store.path(),
                            "see the warning above; HYPERION_CACHE_DIR names another folder");
      }
      result.measured.push_back(record);
      fastest_first();
      if (options.progress) {
        options.progress({.measured = record,
                          .best = result.measured[0],
                          .done = static_cast<int>(k) + 1,
                          .count = static_cast<int>(tile_count + walks)});
      }
    }
    if (k + 1 != tile_count) continue;
    // The best tile, walked in other orders.
    const auto best = read_schedule(result.measured[0].schedule, problem, target);
    for (const TensorSchedule& other : all_schedules(problem, target)) {
      TensorSchedule same = other;
      if (best) same.group = best->group;
      if (best && same == *best && other != *best) schedules.push_back(other);
    }
  }
  return result;
}

}  // namespace hyperion::codegen

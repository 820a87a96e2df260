// What the machine reaches, and how long it takes until something runs.
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "frontend/hyperion.hpp"
#include "ir/support/format.hpp"
#include "tests/benchmark/cuda/gpu.hpp"
#include "tests/benchmark/suites/suites.hpp"

namespace hyperion::benchmark {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Case latency_case(std::string name, std::string shape, std::string unit, Clock clock) {
  return {.suite = "latency", .name = std::move(name), .shape = std::move(shape), .dtype = "f32", .unit = std::move(unit), .clock = clock};
}

// ---- plans

constexpr int kKernels = 25;

// No two of these kernels are alike.
std::vector<Input> small_inputs() {
  std::vector<Input> inputs;
  for (int k = 0; k < kKernels; ++k) inputs.push_back({{64, 128 + 32 * k}});
  return inputs;
}

GpuProgram softmaxes(double factor) {
  return [factor](const std::vector<Tensor>& t) {
    std::vector<Tensor> results;
    for (const Tensor& x : t) results.push_back(nn::softmax(x * factor));
    return results;
  };
}

GpuProgram sum_of_two(double factor) {
  return [factor](const std::vector<Tensor>& t) { return std::vector<Tensor>{t[0] + t[1] * factor}; };
}

// Seconds from recording a program, a little different each time, until its first results are there.
Case compilation(const std::string& shape, std::vector<Input> inputs, GpuProgram (*program)(double)) {
  Case c = latency_case("compile and run", shape, "ms", Clock::once);
  c.sample = [=](Gpu& gpu) -> StatusOr<double> {
    static double factor = 0.5;
    HYP_TRY(const auto arguments, gpu.make(inputs));
    const double start = now();
    HYP_TRY(runtime::Module module, compile_for(gpu.target(), program(factor += 0x1p-20), inputs));
    HYP_TRY(const auto executor, gpu.load(std::move(module)));
    std::vector<runtime::BufferView> outputs;
    HYP_TRY_VOID(executor->execute_now(runtime::FunctionId{0}, arguments, outputs));
    HYP_TRY_VOID(gpu.wait());
    return now() - start;
  };
  return c;
}

// ---- a training step of the MLP that `hyperion train mnist` knows

// Recorded by the frontend, whose default device the environment names (serve.cpp sets it).
class FrontendStep final : public GpuRun {
 public:
  FrontendStep() : step_("mlp") { step_.run(); }
  StatusOr<> start() override {
    step_.advance();
    return {};
  }
  StatusOr<> finish() override {
    step_.run();
    return {};
  }

 private:
  TrainingStep step_;
};

Case mlp_step() {
  Case c = latency_case("mlp step, SGD momentum", "128 x 784-512-10", "us", Clock::wall);
  c.make = [](Gpu&) -> StatusOr<std::unique_ptr<GpuRun>> {
    return std::make_unique<FrontendStep>();
  };
  return c;
}

// In a process of its own: from the first op of the first step to its loss.
Case mlp_first_step(bool is_warm) {
  Case c = latency_case("mlp step, first op to loss", is_warm ? "warm disk cache" : "nothing cached", "ms", Clock::once);
  c.sample = [is_warm](Gpu&) -> StatusOr<double> {
    std::string folder = (std::filesystem::temp_directory_path() / "hyperion_bench_XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) return error_status(Code::unavailable, "no temporary folder");
    double ms = first_step_ms("mlp", folder);
    if (is_warm) ms = first_step_ms("mlp", folder);
    std::filesystem::remove_all(folder);
    if (ms <= 0) return error_status(Code::internal, "the process that takes the first step failed");
    return ms * 1e-3;
  };
  return c;
}

}  // namespace

std::vector<Case> machine_cases(Scale) {
  constexpr std::size_t kBytes = std::size_t{4} << 30;
  Case c{.suite = "machine", .name = "copy", .shape = "4 GiB", .dtype = "-", .unit = "TB/s", .work = 2.0 * kBytes};
  c.make = [](Gpu& gpu) { return gpu.copying(kBytes); };
  return {c};
}

std::vector<Case> latency_cases(Scale) {
  const std::vector<Input> pair{{{1024}}, {{1024}}};
  Case small = latency_case("one launch, device", "1024", "us", Clock::device);
  small.inputs = pair;
  small.program = sum_of_two(1.5);
  small.reference = [at = host_elements(pair)](int, std::int64_t i) {
    return Expected{at(0, i) + 1.5 * at(1, i), 1e-5};
  };
  Case launch = small;
  launch.name = "one launch, back to back", launch.clock = Clock::wall;
  Case plan = latency_case("plan of 25 kernels, device", "64x128 to 64x896", "us", Clock::device);
  plan.inputs = small_inputs();
  plan.program = softmaxes(1.5);
  plan.reference = [inputs = plan.inputs, at = host_elements(plan.inputs)](int output, std::int64_t i) {
    const std::int64_t columns = inputs[static_cast<std::size_t>(output)].shape[1], row = i - i % columns;
    double sum = 0;
    for (std::int64_t k = 0; k < columns; ++k) sum += std::exp(1.5 * at(output, row + k));
    return Expected{std::exp(1.5 * at(output, i)) / sum, 1e-5};
  };
  Case replay = plan;
  replay.name = "plan of 25 kernels, back to back", replay.clock = Clock::wall;
  return {small,
          launch,
          plan,
          replay,
          mlp_step(),
          compilation("one kernel", pair, sum_of_two),
          compilation("25 kernels", small_inputs(), softmaxes),
          mlp_first_step(false),
          mlp_first_step(true)};
}

}  // namespace hyperion::benchmark

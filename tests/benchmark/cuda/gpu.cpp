#include "tests/benchmark/cuda/gpu.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "codegen/cuda/schedule_table.hpp"
#include "codegen/driver/target_of.hpp"
#include "frontend/hyperion.hpp"
#include "ir/literal.hpp"
#include "ir/support/format.hpp"
#include "runtime/cuda/compiler.hpp"
#include "runtime/cuda/device.hpp"
#include "runtime/cuda/object.hpp"

namespace hyperion::benchmark {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{256} << 20;  // several times any second-level cache
constexpr std::int64_t kFillElements = std::int64_t{1} << 24;  // made at once: one program for every size
constexpr int kWarmUps = 4;                                    // the second makes the plan's graph
constexpr runtime::FunctionId kOnlyFunction{0};

using runtime::cuda::CUdeviceptr;

CUdeviceptr address(const std::byte* pointer) { return reinterpret_cast<CUdeviceptr>(pointer); }

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

StatusOr<runtime::BufferView> allocate(const runtime::Device& device, const Input& input) {
  HYP_TRY(auto desc, runtime::ViewDesc::dense(input.dtype, input.shape));
  return runtime::BufferView::allocate(device, std::move(desc));
}

// Has the function's one product on tensor cores use this schedule.
StatusOr<> pin_product(const ir::Module& module, const std::string& function, codegen::DriverOptions options,
                       const codegen::TensorSchedule& schedule, codegen::ScheduleTable& schedules) {
  codegen::ScheduleTable listening;
  options.schedules = &listening;
  const std::unique_ptr<ir::Module> copy = module.clone();
  HYP_TRY_VOID(codegen::compile(*copy, function, options, {.wants_code = false}));
  if (listening.asked().size() != 1) {
    return error_status(Code::failed_precondition, "a schedule is given to what is not one product on tensor cores");
  }
  schedules.pin(listening.asked()[0].problem, schedule);
  return {};
}

// As compile() does, but with other source. REQUIRES: kernels keep their names and parameters.
StatusOr<runtime::Module> compile_edited(ir::Module& module, const std::string& function,
                                         const codegen::DriverOptions& options,
                                         const std::function<void(std::string&)>& edit) {
  std::string source;
  codegen::StageListener listener;
  listener.text = [&](codegen::Stage, const std::string& text) { source = text; };
  HYP_TRY(runtime::Module compiled, codegen::compile(module, function, options, listener));
  const std::string before = source;
  edit(source);
  if (source == before) return error_status(Code::failed_precondition, "the source has no place to be changed");
  runtime::cuda::Compiler compiler;
  for (runtime::Bytes& bytes : compiled.objects) {
    HYP_TRY(runtime::cuda::DeviceObject object, runtime::cuda::DeviceObject::parse(bytes));
    HYP_TRY(runtime::cuda::Program program, compiler.compile({.name = "edited.cu",
                                                              .source = source,
                                                              .architecture = object.architecture,
                                                              .options = {"--fmad=false"}}));
    object.cubin = std::move(program.cubin);
    bytes = object.serialize();
  }
  return compiled;
}

}  // namespace

StatusOr<runtime::Module> compile_for(const codegen::CudaTarget& target, const GpuProgram& program,
                                      const std::vector<Input>& inputs, const Compilation& how) {
  try {
    std::vector<Tensor> arguments;
    for (const Input& input : inputs) arguments.push_back(zeros(input.shape, input.dtype));
    const auto traced = frontend::trace_call("benchmark", program, Location(), arguments).function;
    if (!traced.captures.empty()) {
      return error_status(Code::failed_precondition, "the program uses data besides its arguments");
    }
    codegen::DriverOptions options{.target = target, .fast = how.fast, .joins_launches = how.joins_launches};
    codegen::ScheduleTable schedules;
    if (how.schedule) {
      HYP_TRY_VOID(pin_product(*traced.module, traced.function->name, options, *how.schedule, schedules));
      options.schedules = &schedules;
    }
    const std::unique_ptr<ir::Module> copy = traced.module->clone();
    if (how.edit) return compile_edited(*copy, traced.function->name, options, how.edit);
    return codegen::compile(*copy, traced.function->name, options);
  } catch (const Error& error) {
    return error_status(error.code(), error.what());
  }
}

// A program that makes kFillElements of one kind of noise.
struct Gpu::Filler {
  Input kind;
  std::unique_ptr<runtime::Executor> executor;
};

StatusOr<std::unique_ptr<Gpu>> Gpu::open(const std::string& name) {
  HYP_TRY(codegen::RunSite site, codegen::RunSite::open(name));
  return create(std::move(site));
}

StatusOr<std::unique_ptr<Gpu>> Gpu::create(codegen::RunSite site) {
  HYP_TRY(const codegen::Target target, codegen::target_of(site.device));
  runtime::cuda::Stream* stream = runtime::cuda::stream_of(site.device);
  if (stream == nullptr) return error_status(Code::invalid_argument, site.device.name() + " is no GPU");
  std::unique_ptr<Gpu> gpu(new Gpu(std::move(site), std::get<codegen::CudaTarget>(target), *stream));
  HYP_TRY(gpu->flushed_, runtime::Buffer::allocate(gpu->device(), kFlushBytes));
  return gpu;
}

StatusOr<std::unique_ptr<runtime::Executor>> Gpu::load(runtime::Module module) const {
  HYP_TRY(const auto cluster, runtime::DeviceCluster::create(site_.instance, std::span(&site_.device, 1)));
  return runtime::Executor::create(cluster, {std::make_shared<const runtime::Module>(std::move(module))});
}

StatusOr<Gpu::Filler*> Gpu::filler(const Input& input) {
  for (const auto& each : fillers_) {
    const Input& kind = each->kind;
    if (kind.dtype == input.dtype && kind.noise == input.noise && kind.limit == input.limit) return each.get();
  }
  const GpuProgram program = [&](const std::vector<Tensor>& t) {
    return std::vector<Tensor>{noise_program(input, t[0], kFillElements)};
  };
  HYP_TRY(runtime::Module module, compile_for(target_, program, {{{1}, DType::u32}}));
  HYP_TRY(auto executor, load(std::move(module)));
  fillers_.push_back(std::make_shared<Filler>(Filler{input, std::move(executor)}));
  return fillers_.back().get();
}

StatusOr<std::vector<runtime::BufferView>> Gpu::make(const std::vector<Input>& inputs) {
  std::vector<runtime::BufferView> made;
  for (std::size_t number = 0; number < inputs.size(); ++number) {
    const Input& input = inputs[number];
    HYP_TRY(Filler * filler, this->filler(input));
    HYP_TRY(runtime::BufferView array, allocate(device(), input));
    for (std::int64_t at = 0; at < input.size(); at += kFillElements) {
      const std::uint32_t start = noise_start(static_cast<int>(number), at);
      const std::array<std::int64_t, 1> one{1};
      HYP_TRY(const auto first, runtime::BufferView::from_host(device(), DType::u32, one,
                                                               std::as_bytes(std::span(&start, 1))));
      std::vector<runtime::BufferView> piece;
      HYP_TRY_VOID(filler->executor->execute_now(kOnlyFunction, std::span(&first, 1), piece));
      const std::size_t size = byte_size(input.dtype);
      const auto count = static_cast<std::size_t>(std::min(kFillElements, input.size() - at));
      HYP_TRY_VOID(stream_.copy(address(array.data() + static_cast<std::size_t>(at) * size),
                                address(piece[0].data()), count * size));
    }
    made.push_back(std::move(array));
  }
  HYP_TRY_VOID(wait());
  return made;
}

StatusOr<double> Gpu::element(const runtime::BufferView& array, std::int64_t index) const {
  const DType dtype = array.desc().dtype;
  const std::size_t size = byte_size(dtype);
  std::array<std::byte, 8> bytes{};
  HYP_TRY_VOID(device().backend().download(std::span(bytes).first(size),
                                           array.data() + static_cast<std::size_t>(index) * size));
  return element_to_double(dtype, bytes.data());
}

StatusOr<std::unique_ptr<GpuRun>> Gpu::copying(std::size_t bytes) {
  struct Copying final : GpuRun {
    runtime::cuda::Stream& stream;
    runtime::Buffer from, to;
    Copying(runtime::cuda::Stream& on, runtime::Buffer source, runtime::Buffer target)
        : stream(on), from(std::move(source)), to(std::move(target)) {}
    StatusOr<> start() override { return stream.copy(address(to.data()), address(from.data()), from.bytes()); }
  };
  HYP_TRY(auto from, runtime::Buffer::allocate(device(), bytes));
  HYP_TRY(auto to, runtime::Buffer::allocate(device(), bytes));
  return std::make_unique<Copying>(stream_, std::move(from), std::move(to));
}

StatusOr<std::vector<double>> Gpu::device_seconds(GpuRun& run, int count) {
  using runtime::cuda::StreamEvent;
  std::vector<std::pair<StreamEvent, StreamEvent>> events;
  for (int k = 0; k < count; ++k) {
    HYP_TRY(StreamEvent begin, StreamEvent::create(stream_.context(), StreamEvent::Kind::timing));
    HYP_TRY(StreamEvent end, StreamEvent::create(stream_.context(), StreamEvent::Kind::timing));
    events.emplace_back(std::move(begin), std::move(end));
  }
  for (auto& [begin, end] : events) {
    HYP_TRY_VOID(stream_.fill(address(flushed_.data()), 0, flushed_.bytes()));
    HYP_TRY_VOID(begin.record(stream_));
    HYP_TRY_VOID(run.start());
    HYP_TRY_VOID(end.record(stream_));
  }
  HYP_TRY_VOID(wait());
  std::vector<double> seconds;
  for (auto& [begin, end] : events) {
    HYP_TRY(const double one, end.seconds_since(begin));
    seconds.push_back(one);
  }
  return seconds;
}

StatusOr<double> Gpu::wall_seconds(GpuRun& run, int count) {
  HYP_TRY_VOID(wait());
  const double start = now();
  for (int k = 0; k < count; ++k) HYP_TRY_VOID(run.start());
  HYP_TRY_VOID(run.finish());
  HYP_TRY_VOID(wait());
  return (now() - start) / count;
}

// ---- a case

StatusOr<std::unique_ptr<LoadedCase>> LoadedCase::create(Gpu& gpu, const Case& c) {
  HYP_TRY(runtime::Module module, compile_for(gpu.target(), c.program, c.inputs, c.how));
  HYP_TRY(auto executor, gpu.load(std::move(module)));
  HYP_TRY(auto arguments, gpu.make(c.inputs));
  std::unique_ptr<LoadedCase> loaded(new LoadedCase(gpu, std::move(executor), std::move(arguments), c.keeps_moving));
  HYP_TRY_VOID(loaded->start());
  HYP_TRY_VOID(gpu.wait());
  HYP_TRY_VOID(loaded->check(c));
  for (int k = 1; k < kWarmUps; ++k) HYP_TRY_VOID(loaded->start());
  HYP_TRY_VOID(gpu.wait());
  return loaded;
}

StatusOr<> LoadedCase::start() {
  if (!earlier_.empty()) std::swap(outputs_, earlier_[next_++ % earlier_.size()]);
  outputs_.clear();  // so that the results land where they did before, and the plan's graph serves again
  return executor_->execute_now(kOnlyFunction, arguments_, outputs_);
}

StatusOr<> LoadedCase::check(const Case& c) {
  if (!c.reference) return {};
  constexpr int kMostOutputs = 8, kPlaces = 24;
  // All places of a few results, spread over them, the first and the last element among them.
  const int outputs = static_cast<int>(outputs_.size()), step = std::max(1, outputs / kMostOutputs);
  std::uint64_t state = 1;
  for (int output = 0; output < outputs; output += step) {
    const runtime::BufferView& array = outputs_[static_cast<std::size_t>(output)];
    const std::int64_t last = array.desc().elements - 1;
    for (int place = 0; place <= std::min<std::int64_t>(last, kPlaces); ++place) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const auto drawn = static_cast<std::int64_t>((state >> 16) % static_cast<std::uint64_t>(last + 1));
      const std::int64_t index = place == 0 ? 0 : place == 1 ? last : drawn;
      const std::optional<Expected> expected = c.reference(output, index);
      if (!expected) break;
      HYP_TRY(const double value, gpu_.element(array, index));
      if (!(std::fabs(value - expected->value) <= expected->tolerance)) {
        return error_status(Code::data_loss,
                            format("wrong: element {} of result {} is {:.7g}, not {:.7g} (within {:.2g})", index, output,
                                   value, expected->value, expected->tolerance));
      }
    }
  }
  return {};
}

}  // namespace hyperion::benchmark

#include "frontend/engine.hpp"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include "codegen/driver/code_cache.hpp"
#include "codegen/driver/code_version.hpp"
#include "codegen/driver/compile.hpp"
#include "codegen/driver/target_of.hpp"
#include "codegen/llvm/code_loader.hpp"
#include "ir/interpreter.hpp"
#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "ir/text/print.hpp"
#include "passes/pass_manager.hpp"
#include "runtime/cluster.hpp"

namespace hyperion::frontend {
namespace {

using Clock = std::chrono::steady_clock;

// Everything process-wide about engines, behind one lock.
struct EngineState {
  std::mutex mutex;
  EngineOptions options;
  std::shared_ptr<runtime::Instance> instance;
  std::map<std::string, std::unique_ptr<runtime::DiskCache>> caches;  // by the producer of their entries
  std::shared_ptr<runtime::TuningStore> tuning;                       // beside them; made with the first

  static EngineState& get() {
    static EngineState* state = new EngineState;
    return *state;
  }

  // Null when the cache is off.
  runtime::DiskCache* disk_cache(const codegen::Target& target) {
    if (!options.use_disk_cache) return nullptr;
    const std::string producer = codegen::producer(codegen::key(target));
    std::unique_ptr<runtime::DiskCache>& cache = caches[producer];
    if (!cache) cache = std::make_unique<runtime::DiskCache>(runtime::CacheOptions{options.cache_folder, producer});
    if (!tuning) {
      tuning = std::make_shared<runtime::TuningStore>(
          runtime::TuningStoreOptions{options.cache_folder, std::string(codegen::code_version())});
    }
    return cache.get();
  }
};

std::atomic<std::uint64_t> compiled_count{0}, from_disk_count{0};
std::atomic<std::int64_t> load_nanoseconds{0}, run_nanoseconds{0};

// Adds the time until the end of the scope.
class Stopwatch {
 public:
  explicit Stopwatch(std::atomic<std::int64_t>& total) : total_(total), start_(Clock::now()) {}
  ~Stopwatch() { total_ += std::chrono::nanoseconds(Clock::now() - start_).count(); }

 private:
  std::atomic<std::int64_t>& total_;
  Clock::time_point start_;
};

// What compiling consists of, as spans of the profile: its stages, and within the first of them the passes.
class CompileSpans : public passes::Instrumentation {
 public:
  explicit CompileSpans(runtime::Profiler& profiler) : profiler_(profiler), stage_start_(runtime::now_ticks()) {}

  codegen::StageListener listener() {
    return {.module = [this](codegen::Stage stage, const ir::Module&) { end_stage(stage); }, .instrumentations = {this}};
  }
  // Whatever came after the last stage that is shown.
  void end_code() { end("machine code"); }

  void before_pass(const passes::PassEvent&) override { pass_start_ = runtime::now_ticks(); }
  Result<> after_pass(const passes::PassEvent& event, passes::Changed, Diagnostics&) override {
    record(event.step.text(), "pass", pass_start_);
    return {};
  }

 private:
  void end_stage(codegen::Stage stage) {
    if (stage == codegen::Stage::passes) end("passes");
    if (stage == codegen::Stage::fused) end("fuse");
    if (stage == codegen::Stage::kernels) end("lower and emit");
  }
  void end(const char* name) {
    record(name, "stage", stage_start_);
    stage_start_ = runtime::now_ticks();
  }
  void record(const std::string& name, const char* category, runtime::Ticks start) {
    profiler_.record(profiler_.label({.name = name, .category = category}), start, runtime::now_ticks());
  }

  runtime::Profiler& profiler_;
  runtime::Ticks stage_start_, pass_start_ = 0;
};

class InterpretedFunction : public Executable {
 public:
  InterpretedFunction(std::shared_ptr<const ir::Module> module, const ir::Function& function, Device device)
      : module_(std::move(module)), function_(function), device_(device) {}

  StatusOr<std::vector<Array>> run(std::span<const Array> arguments) override {
    const Stopwatch watch(run_nanoseconds);
    std::vector<LiteralPtr> literals;
    for (std::size_t k = 0; k < arguments.size(); ++k) {
      HYP_TRY(const Array here, on_host(arguments[k]));
      HYP_TRY(const std::span<const std::byte> bytes, here.host_bytes());
      literals.push_back(Literal::make(function_.type(function_.parameters()[k]), bytes));
    }
    HYP_TRY(const std::vector<LiteralPtr> results, ir::interpret(*module_, function_, literals));
    std::vector<Array> arrays;
    for (const LiteralPtr& result : results) {
      HYP_TRY(arrays.emplace_back(), make_array(*result, device_));
    }
    // Donation means the same on every engine: the argument is spent.
    for (const Array& argument : arguments) {
      if (argument.donated()) argument.buffer().take_over({});
    }
    return arrays;
  }

 private:
  std::shared_ptr<const ir::Module> module_;
  const ir::Function& function_;
  const Device device_;
};

class CompiledFunction : public Executable {
 public:
  CompiledFunction(std::unique_ptr<runtime::Executor> executor, runtime::FunctionId function)
      : executor_(std::move(executor)), function_(function) {}

  StatusOr<std::vector<Array>> run(std::span<const Array> arguments) override {
    const Stopwatch watch(run_nanoseconds);
    std::vector<Array> outputs;
    HYP_TRY_VOID(executor_->execute_now(function_, arguments, outputs));
    return outputs;
  }
  const runtime::Executor* executor() const override { return executor_.get(); }

 private:
  std::unique_ptr<runtime::Executor> executor_;
  runtime::FunctionId function_;
};

// What the code depends on: the function (its callees are named after their content), the target, and the options. The
// target and the version of the compiler are the cache's producer.
Hash128 code_key(const ir::Module& module, const ir::Function& function, const codegen::DriverOptions& options) {
  std::string text = format("{} {} {}", function.name, options.threads, options.fast);
  for (const auto& member : module.functions()) text += ir::structural_hash(*member).hex();
  return hash_text(text);
}

StatusOr<std::shared_ptr<Executable>> start(runtime::Module compiled, const std::string& function,
                                            const runtime::Device& device) {
  HYP_TRY(const auto cluster, runtime::DeviceCluster::create(instance(), std::span(&device, 1)));
  HYP_TRY(auto executor,
          runtime::Executor::create(cluster, {std::make_shared<const runtime::Module>(std::move(compiled))}));
  const std::optional<runtime::FunctionId> entry = executor->find(function);
  if (!entry) return error_status(Code::internal, "the compiled module lacks its function", function);
  return std::make_shared<CompiledFunction>(std::move(executor), *entry);
}

// Null: there is none, or what is there is not a module that runs. The cache detects torn and altered bytes; an entry
// may still be something else under the right name.
std::shared_ptr<Executable> find_on_disk(runtime::DiskCache& cache, const Hash128& key, const codegen::DriverOptions& options,
                                         const std::string& function, const runtime::Device& device) {
  auto stored = codegen::find_code(cache, key, *options.schedules, std::get_if<codegen::CudaTarget>(&options.target));
  if (!stored) return nullptr;
  auto started = start(*std::move(stored), function, device);
  return started ? *std::move(started) : nullptr;
}

// With HYPERION_DUMP=FOLDER, each module is written there before it is compiled, for hyperion-opt to take apart. What cannot
// be written is said and changes nothing else.
void dump(const ir::Module& module, const std::string& function) {
  const char* folder = std::getenv("HYPERION_DUMP");
  if (folder == nullptr || *folder == '\0') return;
  static std::atomic<int> count{0};
  const std::filesystem::path path = std::filesystem::path(folder) / format("{:03}_{}.hir", count++, function);
  std::error_code ignored;
  std::filesystem::create_directories(folder, ignored);
  std::ofstream file(path);
  file << ir::print(module);
  if (!file.flush()) HYP_LOG("frontend", warn, format("HYPERION_DUMP: {} cannot be written", path.string()));
}

StatusOr<std::shared_ptr<Executable>> load_compiled(const ir::Module& module, const ir::Function& function,
                                                    const runtime::Device& device) {
  codegen::DriverOptions options;
  HYP_TRY(options.target, codegen::target_of(device));
  options.threads = device.threads();
  options.fast = engine_options().fast;
  runtime::DiskCache* cache;
  std::shared_ptr<runtime::TuningStore> tuning;
  {
    std::lock_guard lock(EngineState::get().mutex);
    cache = EngineState::get().disk_cache(options.target);
    if (cache != nullptr) tuning = EngineState::get().tuning;
  }
  codegen::ScheduleTable schedules(std::move(tuning));
  options.schedules = &schedules;
  const Hash128 key = code_key(module, function, options);
  if (cache != nullptr) {
    if (auto found = find_on_disk(*cache, key, options, function.name, device)) {
      ++from_disk_count;
      return found;
    }
  }
  const std::unique_ptr<ir::Module> copy = module.clone();
  dump(*copy, function.name);
  runtime::Profiler& profiler = instance()->profiler();
  const auto span = profiler.span("compile " + function.name, "compile");
  CompileSpans spans(profiler);
  HYP_TRY(runtime::Module compiled, codegen::compile(*copy, function.name, options, spans.listener()));
  spans.end_code();
  ++compiled_count;
  if (cache != nullptr) codegen::keep_code(*cache, key, schedules, compiled);
  return start(std::move(compiled), function.name, device);
}

}  // namespace

const EngineOptions& engine_options() { return EngineState::get().options; }

void set_engine(EngineOptions options) {
  EngineState& state = EngineState::get();
  std::lock_guard lock(state.mutex);
  const bool same_cache = options.use_disk_cache == state.options.use_disk_cache &&
                          options.cache_folder == state.options.cache_folder;
  if (!same_cache) {
    state.caches.clear();
    state.tuning.reset();
  }
  state.options = std::move(options);
}

std::shared_ptr<runtime::Instance> instance() {
  EngineState& state = EngineState::get();
  std::lock_guard lock(state.mutex);
  if (!state.instance) state.instance = runtime::Instance::create();
  if (!state.instance->code_loader()) state.instance->set_code_loader(codegen::llvm_code_loader());
  return state.instance;
}

void set_instance(std::shared_ptr<runtime::Instance> replacement) {
  std::lock_guard lock(EngineState::get().mutex);
  EngineState::get().instance = std::move(replacement);
}

StatusOr<runtime::Device> runtime_device(Device device) {
  const std::shared_ptr<runtime::Instance> owner = instance();
  if (device == Device()) return owner->devices()[0];
  return owner->device(device.name());
}

StatusOr<std::shared_ptr<Executable>> load(std::shared_ptr<const ir::Module> module, std::string_view function,
                                           Device device) {
  const Stopwatch watch(load_nanoseconds);
  const ir::Function* found = module->find(function);
  HYP_CHECK(found != nullptr, "the function to load is not in its module");
  HYP_TRY(const runtime::Device there, runtime_device(device));
  if (engine_options().kind == EngineKind::compiled) return load_compiled(*module, *found, there);
  return std::make_shared<InterpretedFunction>(std::move(module), *found, device);
}

EngineStatistics engine_statistics() {
  return {compiled_count, from_disk_count, 1e-9 * static_cast<double>(load_nanoseconds.load()),
          1e-9 * static_cast<double>(run_nanoseconds.load())};
}

std::optional<runtime::CacheStatistics> disk_cache_statistics() {
  EngineState& state = EngineState::get();
  std::lock_guard lock(state.mutex);
  if (state.caches.empty()) return std::nullopt;
  runtime::CacheStatistics total;
  for (const auto& [producer, cache] : state.caches) total += cache->statistics();
  return total;
}

StatusOr<Array> make_array(Type type, std::span<const std::byte> bytes, Device device) {
  HYP_TRY(const runtime::Device there, runtime_device(device));
  return Array::from_host(there, type.dtype(), type.sizes(), bytes);
}

StatusOr<Array> make_array(const Literal& literal, Device device) {
  return make_array(literal.type(), literal.dense_bytes(), device);
}

StatusOr<Array> copy_to(Device device, const Array& array) {
  HYP_TRY(const runtime::Device there, runtime_device(device));
  return array.to(there);
}

StatusOr<Array> on_host(const Array& array) {
  if (array.buffer().device().is_host()) return array;
  return array.to(instance()->devices()[0]);
}

}  // namespace hyperion::frontend

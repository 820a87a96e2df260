// Written in the order of a call: binding arguments and outputs, running, the queue, and the public
// functions last.
#include "runtime/executor.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "runtime/invocation.hpp"
#include "runtime/program.hpp"

namespace hyperion::runtime {
namespace {

struct Queued {
  Invocation invocation;
  EventSource done;
};

}  // namespace

class Executor::State {
 public:
  explicit State(const DeviceCluster& cluster)
      : cluster_(cluster),
        device_(cluster.device()),
        device_queue_(device_.backend().make_queue()),
        allocations_at_start_(device_.memory().allocations) {}
  ~State();

  StatusOr<> load(std::vector<std::shared_ptr<const Module>> modules);
  StatusOr<Execution> execute(FunctionId id, std::span<const BufferView> arguments,
                              const ExecuteOptions& options);
  StatusOr<> execute_now(FunctionId id, std::span<const BufferView> arguments,
                         std::vector<BufferView>& outputs, const ExecuteOptions& options);
  StatusOr<> drain(Duration timeout);
  void release_workspace();
  void add_observer(std::shared_ptr<LaunchObserver> observer);
  void remove_observer(const LaunchObserver* observer);
  ExecutorStatistics statistics() const;

  const std::vector<BoundFunction>& functions() const { return functions_; }
  std::optional<FunctionId> find(std::string_view name) const;

 private:
  StatusOr<> bind(FunctionId id, std::span<const BufferView> arguments,
                  const ExecuteOptions& options, const Event& ready, Invocation& invocation);
  StatusOr<> run(Invocation& invocation, bool waits);
  StatusOr<> run_locked(Invocation& invocation);
  StatusOr<> run_plan(Program& program, std::uint32_t plan, RunContext& context);
  StatusOr<> place_arguments(Invocation& invocation, std::span<std::byte*> pointers);
  StatusOr<> ensure_workspace(const BoundFunction& target);
  void serve_queue();

  const DeviceCluster cluster_;
  const Device device_;
  const std::unique_ptr<DeviceQueue> device_queue_;
  const std::uint64_t allocations_at_start_;
  std::vector<std::unique_ptr<Program>> programs_;  // immutable after load()
  std::vector<BoundFunction> functions_;            // immutable after load()
  std::unordered_map<std::string_view, FunctionId> names_;

  std::mutex run_mutex_;  // held while a plan runs; guards what follows
  Invocation now_;        // of execute_now
  Buffer workspace_;
  std::size_t arena_bytes_ = 0;
  std::size_t scratch_stride_ = 0;
  std::vector<std::shared_ptr<LaunchObserver>> observers_;
  std::vector<std::uintptr_t> repeat_key_;

  mutable std::mutex queue_mutex_;  // guards what follows
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<std::unique_ptr<Queued>> queue_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;  // started by the first execute()

  struct Counters {
    std::atomic<std::uint64_t> executions{0}, failures{0}, launches{0}, forks{0};
    std::atomic<std::uint64_t> argument_copies{0}, donations_used{0}, donations_missed{0};
    std::atomic<std::uint64_t> workspace_bytes{0};
  };
  Counters counters_;
};

StatusOr<> Executor::State::load(std::vector<std::shared_ptr<const Module>> modules) {
  const std::shared_ptr<CodeLoader> registered = cluster_.instance().code_loader();
  CodeLoader* const own = device_.backend().code_loader();
  for (std::shared_ptr<const Module>& module : modules) {
    HYP_TRY_VOID(module->verify());
    HYP_TRY(auto program,
            Program::load(std::move(module), device_, *device_queue_,
                          own != nullptr ? own : registered.get(), cluster_.instance().profiler()));
    for (const Function& function : program->module().functions) {
      HYP_TRY(BoundFunction bound,
              BoundFunction::make(*program, function, cluster_.instance().profiler()));
      const FunctionId id{static_cast<std::uint32_t>(functions_.size())};
      if (!names_.emplace(function.name, id).second) {
        return error_status(Code::already_exists,
                            format("two functions are named '{}'", function.name));
      }
      HYP_LOG("runtime", debug,
              format("loaded '{}': arena {} bytes, scratch {} bytes a thread", function.name,
                     program->module().plans[function.plan].arena_bytes, program->scratch_bytes()));
      functions_.push_back(std::move(bound));
    }
    programs_.push_back(std::move(program));
  }
  return {};
}

std::optional<FunctionId> Executor::State::find(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

// ---- Running ----

StatusOr<> Executor::State::bind(FunctionId id, std::span<const BufferView> arguments,
                                 const ExecuteOptions& options, const Event& ready,
                                 Invocation& invocation) {
  HYP_CHECK(id.index < functions_.size(), "a function of another executor");
  HYP_TRY_VOID(invocation.bind(functions_[id.index], device_, arguments, options, ready));
  counters_.donations_used.fetch_add(invocation.donations_used, std::memory_order_relaxed);
  counters_.donations_missed.fetch_add(invocation.donations_missed, std::memory_order_relaxed);
  return {};
}

// With `waits`, until the device has done it; else until it is in the device's order.
StatusOr<> Executor::State::run(Invocation& invocation, bool waits) {
  StatusOr<> result = run_locked(invocation);
  if (result && waits) result = device_queue_->finish();
  counters_.executions.fetch_add(1, std::memory_order_relaxed);
  if (!result) {
    counters_.failures.fetch_add(1, std::memory_order_relaxed);
    if (result.error().where.empty()) result.error().where = invocation.call_location;
  }
  return result;
}

StatusOr<> Executor::State::run_locked(Invocation& invocation) {
  const BoundFunction& target = *invocation.target;
  const std::uint32_t plan = target.function->plan;
  HYP_TRY_VOID(invocation.wait_for_inputs());
  HYP_TRY_VOID(ensure_workspace(target));
  HYP_TRY_VOID(place_arguments(invocation, target.program->arguments(plan)));
  const std::span<std::byte*> outputs = target.program->outputs(plan);
  for (std::size_t i = 0; i < outputs.size(); ++i) outputs[i] = invocation.outputs[i].data();

  RunContext context{.launch = {.pool = device_.thread_pool(),
                                .profiler = cluster_.instance().profiler(),
                                .scratch = workspace_.data() + arena_bytes_,
                                .scratch_stride = scratch_stride_},
                     .deadline = invocation.deadline,
                     .observers = observers_};
  Profiler& profiler = cluster_.instance().profiler();
  const bool is_captured = profiler.is_capturing();
  device_queue_->time_kernels(is_captured ? &profiler : nullptr);
  const auto span = profiler.span(*target.label);
  StatusOr<> result = run_plan(*target.program, plan, context);
  // When kernels ran is known when they are over, so a capture waits for every execution.
  if (result && is_captured) result = device_queue_->finish();
  counters_.launches.fetch_add(context.launches, std::memory_order_relaxed);
  counters_.forks.fetch_add(context.launch.forks, std::memory_order_relaxed);
  return result;
}

// What follows from the pointers alone, the queue may repeat as one piece. An observer wants to see
// every launch.
StatusOr<> Executor::State::run_plan(Program& program, std::uint32_t plan, RunContext& context) {
  if (device_.is_host() || !program.is_fixed(plan) || !observers_.empty()) {
    return program.run(plan, workspace_.data(), context);
  }
  repeat_key_.clear();
  const auto append = [&](const void* pointer) {
    repeat_key_.push_back(reinterpret_cast<std::uintptr_t>(pointer));
  };
  append(&program);
  repeat_key_.push_back(plan);
  append(workspace_.data());
  for (const std::byte* argument : program.arguments(plan)) append(argument);
  for (const std::byte* output : program.outputs(plan)) append(output);
  return device_queue_->repeat(repeat_key_,
                               [&] { return program.run(plan, workspace_.data(), context); });
}

StatusOr<> Executor::State::place_arguments(Invocation& invocation,
                                            std::span<std::byte*> pointers) {
  for (std::size_t i = 0; i < pointers.size(); ++i) {
    const ViewDesc& desc = invocation.arguments[i].desc();
    pointers[i] = invocation.arguments[i].data();  // written only if donated
    if (desc.is_dense && is_aligned(pointers[i])) continue;
    HYP_TRY(const BufferView copy, invocation.arguments[i].copy_to(device_));
    pointers[i] = copy.data();
    invocation.copies.push_back(copy.buffer());
    counters_.argument_copies.fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

// One block: the arena, then the scratch of each thread. It grows to the largest function that has
// run.
StatusOr<> Executor::State::ensure_workspace(const BoundFunction& target) {
  const auto round_up = [](std::size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  };
  const Module& module = target.program->module();
  const std::size_t arena = round_up(module.plans[target.function->plan].arena_bytes);
  const std::size_t scratch = round_up(target.program->scratch_bytes());
  if (workspace_ && arena <= arena_bytes_ && scratch <= scratch_stride_) return {};
  arena_bytes_ = std::max(arena, arena_bytes_);
  scratch_stride_ = std::max(scratch, scratch_stride_);
  workspace_ = {};
  const std::size_t bytes =
      arena_bytes_ + scratch_stride_ * static_cast<std::size_t>(device_.threads());
  StatusOr<Buffer> workspace = Buffer::allocate(device_, bytes);
  if (!workspace) {
    arena_bytes_ = scratch_stride_ = 0;
    workspace.error().where = format("working memory of '{}'", target.function->name);
    return std::unexpected(std::move(workspace).error());
  }
  workspace_ = *std::move(workspace);
  counters_.workspace_bytes.store(bytes, std::memory_order_relaxed);
  return {};
}

StatusOr<> Executor::State::execute_now(FunctionId id, std::span<const BufferView> arguments,
                                        std::vector<BufferView>& outputs,
                                        const ExecuteOptions& options) {
  HYP_TRY_VOID(drain(options.timeout));
  std::lock_guard lock(run_mutex_);
  // Whatever happens, nothing of this call stays behind.
  struct Clear {
    Invocation& invocation;
    ~Clear() { invocation.clear(); }
  } const clear{now_};
  HYP_TRY_VOID(bind(id, arguments, options, Event(), now_));
  HYP_TRY_VOID(run(now_, /*waits=*/false));
  outputs.clear();
  now_.append_views(outputs);
  return {};
}

// ---- The queue ----

StatusOr<Execution> Executor::State::execute(FunctionId id, std::span<const BufferView> arguments,
                                             const ExecuteOptions& options) {
  auto queued = std::make_unique<Queued>();
  Execution execution{{}, queued->done.event()};
  {
    std::lock_guard lock(queue_mutex_);
    HYP_TRY_VOID(bind(id, arguments, options, execution.done, queued->invocation));
    queued->invocation.append_views(execution.outputs);
    queue_.push_back(std::move(queued));
    if (!thread_.joinable()) thread_ = std::thread([this] { serve_queue(); });
  }
  work_.notify_one();
  return execution;
}

void Executor::State::serve_queue() {
  std::unique_lock lock(queue_mutex_);
  for (;;) {
    work_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::unique_ptr<Queued> queued = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    StatusOr<> result;
    {
      std::lock_guard run_lock(run_mutex_);
      result = run(queued->invocation, /*waits=*/true);
    }
    queued->invocation.clear();
    if (result) {
      queued->done.succeed();
    } else {
      queued->done.fail(std::move(result).error());
    }
    queued.reset();
    lock.lock();
    busy_ = false;
    if (queue_.empty()) idle_.notify_all();
  }
}

StatusOr<> Executor::State::drain(Duration timeout) {
  std::unique_lock lock(queue_mutex_);
  const auto idle = [&] { return queue_.empty() && !busy_; };
  if (idle()) return {};
  if (timeout == Duration::max()) {
    idle_.wait(lock, idle);
  } else if (!idle_.wait_until(lock, std::chrono::steady_clock::now() + timeout, idle)) {
    return error_status(Code::deadline_exceeded, format("{} executions are still in flight",
                                                        queue_.size() + (busy_ ? 1 : 0)));
  }
  return {};
}

Executor::State::~State() {
  {
    std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Executor::State::release_workspace() {
  std::lock_guard lock(run_mutex_);
  workspace_ = {};
  arena_bytes_ = scratch_stride_ = 0;
  counters_.workspace_bytes.store(0, std::memory_order_relaxed);
}

void Executor::State::add_observer(std::shared_ptr<LaunchObserver> observer) {
  std::lock_guard lock(run_mutex_);
  observers_.push_back(std::move(observer));
}

void Executor::State::remove_observer(const LaunchObserver* observer) {
  std::lock_guard lock(run_mutex_);
  std::erase_if(observers_, [&](const auto& each) { return each.get() == observer; });
}

ExecutorStatistics Executor::State::statistics() const {
  const auto read = [](const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  return {.executions = read(counters_.executions),
          .failures = read(counters_.failures),
          .launches = read(counters_.launches),
          .forks = read(counters_.forks),
          .system_allocations = device_.memory().allocations - allocations_at_start_,
          .argument_copies = read(counters_.argument_copies),
          .donations_used = read(counters_.donations_used),
          .donations_missed = read(counters_.donations_missed),
          .workspace_bytes = read(counters_.workspace_bytes)};
}

// ---- The public face ----

Executor::Executor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Executor::~Executor() = default;

StatusOr<std::unique_ptr<Executor>> Executor::create(
    const DeviceCluster& cluster, std::vector<std::shared_ptr<const Module>> modules) {
  auto state = std::make_unique<State>(cluster);
  HYP_TRY_VOID(state->load(std::move(modules)));
  return std::unique_ptr<Executor>(new Executor(std::move(state)));
}

std::optional<FunctionId> Executor::find(std::string_view function) const {
  return state_->find(function);
}
const Function& Executor::function(FunctionId id) const {
  HYP_CHECK(id.index < state_->functions().size(), "a function of another executor");
  return *state_->functions()[id.index].function;
}
std::size_t Executor::function_count() const { return state_->functions().size(); }

StatusOr<Execution> Executor::execute(FunctionId function, std::span<const BufferView> arguments,
                                      const ExecuteOptions& options) {
  return state_->execute(function, arguments, options);
}
StatusOr<> Executor::execute_now(FunctionId function, std::span<const BufferView> arguments,
                                 std::vector<BufferView>& outputs, const ExecuteOptions& options) {
  return state_->execute_now(function, arguments, outputs, options);
}
StatusOr<> Executor::drain(Duration timeout) { return state_->drain(timeout); }
void Executor::release_workspace() { state_->release_workspace(); }
void Executor::add_observer(std::shared_ptr<LaunchObserver> observer) {
  state_->add_observer(std::move(observer));
}
void Executor::remove_observer(const LaunchObserver* observer) {
  state_->remove_observer(observer);
}
ExecutorStatistics Executor::statistics() const { return state_->statistics(); }

}  // namespace hyperion::runtime

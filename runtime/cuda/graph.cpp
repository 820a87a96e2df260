#include "runtime/cuda/graph.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

// How many kernels of a graph an error lists.
constexpr std::size_t kShownKernels = 16;

StatusOr<> run_one(Stream& stream, const CommandList::Launch& command) {
  return launch(stream, *command.kernel, command.shape, command.arguments);
}
StatusOr<> run_one(Stream& stream, const CommandList::Copy& command) {
  return stream.copy(command.to, command.from, command.bytes);
}
StatusOr<> run_one(Stream& stream, const CommandList::Fill& command) {
  return stream.fill(command.to, command.value, command.bytes);
}
StatusOr<> run_one(Stream& stream, const CommandList::Mark& command) {
  return command.event->record(stream);
}

void destroy(Context& context, CUgraph graph) {
  if (graph == nullptr) return;
  Driver& driver = context.driver();
  log_failure(driver, driver.cuGraphDestroy(graph), "cuGraphDestroy");
}

}  // namespace

// ---- Lists ----

void CommandList::launch(std::shared_ptr<Kernel> kernel, const LaunchShape& shape,
                         Arguments arguments) {
  commands_.emplace_back(Launch{std::move(kernel), shape, std::move(arguments)});
}

void CommandList::copy(CUdeviceptr to, CUdeviceptr from, std::uint64_t bytes) {
  commands_.emplace_back(Copy{to, from, bytes});
}

void CommandList::fill(CUdeviceptr to, unsigned char value, std::uint64_t bytes) {
  commands_.emplace_back(Fill{to, value, bytes});
}

void CommandList::mark(std::shared_ptr<StreamEvent> event) {
  commands_.emplace_back(Mark{std::move(event)});
}

StatusOr<> CommandList::capture(Stream& stream) const {
  for (const Command& command : commands_) {
    if (const auto* mark = std::get_if<Mark>(&command)) {
      HYP_TRY_VOID(mark->event->record_in_graph(stream));
    } else {
      HYP_TRY_VOID(std::visit([&](const auto& one) { return run_one(stream, one); }, command));
    }
  }
  return {};
}

StatusOr<> CommandList::run(Stream& stream) const {
  for (const Command& command : commands_) {
    HYP_TRY_VOID(std::visit([&](const auto& one) { return run_one(stream, one); }, command));
  }
  return {};
}

// ---- Replays ----

StatusOr<std::unique_ptr<Replay>> Replay::create(std::shared_ptr<Context> context,
                                                 CommandList commands) {
  std::unique_ptr<Replay> replay(new Replay(std::move(context)));
  replay->set_commands(std::move(commands));
  if (StatusOr<> made = replay->instantiate(); !made) {
    HYP_TRY_VOID(replay->fall_back(std::move(made).error()));
  }
  return replay;
}

void Replay::set_commands(CommandList commands) {
  commands_ = std::move(commands);
  std::vector<std::string_view> names;
  for (const CommandList::Command& command : commands_.commands()) {
    const auto* launch = std::get_if<CommandList::Launch>(&command);
    if (launch != nullptr) names.push_back(launch->kernel->origin().kernel);
  }
  const std::size_t shown = std::min(names.size(), kShownKernels);
  origin_ = std::make_shared<const KernelOrigin>(KernelOrigin{
      format("graph of {} kernels", names.size()),
      format("{}{}",
             fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
             shown < names.size() ? ", ..." : "")});
}

Replay::~Replay() { release(); }

void Replay::release() noexcept {
  if (executable_ == nullptr) return;
  const auto current = context_->enter_to_release();
  Driver& driver = context_->driver();
  log_failure(driver, driver.cuGraphExecDestroy(executable_), "cuGraphExecDestroy");
  executable_ = nullptr;
}

StatusOr<> Replay::fall_back(Status reason) {
  release();
  if (context_->is_lost()) return std::unexpected(std::move(reason));
  fallback_reason_ = format("launched one by one, without a graph: {}", reason.text());
  HYP_LOG("runtime.cuda", info, fallback_reason_);
  return {};
}

// On a stream of its own, so that nothing else is captured and nobody's stream is left in a capture
// that failed.
StatusOr<CUgraph> Replay::capture() const {
  HYP_TRY(const auto stream, Stream::create(context_));
  Driver& driver = context_->driver();
  HYP_TRY_VOID(stream->check(
      driver.cuStreamBeginCapture(stream->handle(), CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
      "cuStreamBeginCapture"));
  StatusOr<> recorded = commands_.capture(*stream);
  CUgraph graph = nullptr;
  StatusOr<> ended =
      stream->check(driver.cuStreamEndCapture(stream->handle(), &graph), "cuStreamEndCapture");
  if (recorded && ended) return graph;
  destroy(*context_, graph);
  return std::unexpected(std::move(recorded ? ended : recorded).error());
}

StatusOr<> Replay::instantiate() {
  HYP_TRY(const auto current, context_->enter());
  HYP_TRY(const CUgraph graph, capture());
  const CUresult result = context_->driver().cuGraphInstantiateWithFlags(&executable_, graph, 0);
  destroy(*context_, graph);
  if (result != CUDA_SUCCESS) executable_ = nullptr;
  return context_->check(result, "cuGraphInstantiate");
}

StatusOr<> Replay::run(Stream& stream) {
  if (!is_graph()) return commands_.run(stream);
  HYP_TRY(const auto current, context_->enter());
  stream.note(origin_);
  return stream.check(context_->driver().cuGraphLaunch(executable_, stream.handle()),
                      "cuGraphLaunch");
}

StatusOr<> Replay::update(CommandList commands) {
  set_commands(std::move(commands));
  if (!is_graph()) return {};
  HYP_TRY(const auto current, context_->enter());
  StatusOr<CUgraph> graph = capture();
  if (!graph) return fall_back(std::move(graph).error());
  CUgraphExecUpdateResultInfo info = {};
  const CUresult result = context_->driver().cuGraphExecUpdate(executable_, *graph, &info);
  destroy(*context_, *graph);
  if (result == CUDA_SUCCESS) return {};
  if (is_fatal(result)) return context_->check(result, "cuGraphExecUpdate");
  // The driver will not turn the old graph into this one: make a new one.
  release();
  if (StatusOr<> made = instantiate(); !made) return fall_back(std::move(made).error());
  return {};
}

}  // namespace hyperion::runtime::cuda

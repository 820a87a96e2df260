#include "runtime/program.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime {
namespace {

// Forking costs a few microseconds when workers are awake and tens when they sleep. Below about 20
// us of work on one core, which is roughly 3 MFLOP or 400 KB, it does not pay.
constexpr std::uint64_t kForkFlops = 3'000'000;
constexpr std::uint64_t kForkBytes = 400'000;

bool is_worth_forking(const Launch& launch) {
  if (launch.tiles < 2) return false;
  const bool unknown = launch.flops == 0 && launch.bytes == 0;
  return unknown || launch.flops >= kForkFlops || launch.bytes >= kForkBytes;
}

StatusOr<> check_deadline(const RunContext& context) {
  if (context.deadline == TimePoint::max() || std::chrono::steady_clock::now() < context.deadline) {
    return {};
  }
  return error_status(Code::deadline_exceeded, "the execution was stopped between two loop steps",
                      {}, "allow more time, or look for a loop that does not end");
}

}  // namespace

StatusOr<std::unique_ptr<Program>> Program::load(std::shared_ptr<const Module> module,
                                                 CodeLoader* loader, Profiler& profiler) {
  std::unique_ptr<Program> program(new Program(std::move(module)));
  const Module& source = *program->module_;
  if (!source.objects.empty() && loader == nullptr) {
    return error_status(Code::failed_precondition,
                        "no code loader is registered with the instance");
  }
  if (!source.objects.empty()) {
    const std::vector<std::span<const std::byte>> objects(source.objects.begin(),
                                                          source.objects.end());
    HYP_TRY(program->code_, loader->load(objects));
  }
  for (const Constant& constant : source.constants) {
    program->constants_.push_back(
        const_cast<std::byte*>(constant.bytes.data()));  // P4: never written
  }
  for (const Plan& plan : source.plans) {
    PlanState& state = program->plans_.emplace_back();
    state.arguments.resize(plan.argument_bytes.size());
    state.outputs.resize(plan.output_bytes.size());
    for (const Instruction& instruction : plan.instructions) {
      Step step{&instruction};
      if (const auto* launch = std::get_if<Launch>(&instruction)) {
        HYP_TRY(step.kernel, program->find_symbol(*launch));
        step.worth_forking = is_worth_forking(*launch);
        step.label =
            &profiler.label({.name = launch->label.empty() ? launch->kernel : launch->label,
                             .category = "launch",
                             .location = launch->location,
                             .flops = launch->flops,
                             .bytes = launch->bytes});
        if (launch->buffers.size() > program->launch_buffers_.size()) {
          program->launch_buffers_.resize(launch->buffers.size());
        }
        program->scratch_bytes_ = std::max(program->scratch_bytes_, launch->scratch_bytes);
      }
      if (const auto* loop = std::get_if<WhileLoop>(&instruction)) {
        step.current.resize(loop->carried.size());
        step.next.resize(loop->carried.size());
      } else if (const auto* scan = std::get_if<Scan>(&instruction)) {
        step.current.resize(scan->carried.size());
        step.next.resize(scan->carried.size());
      }
      state.steps.push_back(std::move(step));
    }
  }
  return program;
}

StatusOr<KernelFunction*> Program::find_symbol(const Launch& launch) const {
  if (KernelFunction* kernel = code_ ? code_->symbol(launch.kernel) : nullptr) return kernel;
  return error_status(Code::not_found, format("no code for kernel '{}'", launch.kernel),
                      launch.location, "the module is incomplete: build it again");
}

std::byte* Program::resolve(const PlanState& plan, const Slot& slot) const {
  switch (slot.kind) {
    case Slot::Kind::argument:
      return plan.arguments[slot.index] + slot.offset;
    case Slot::Kind::output:
      return plan.outputs[slot.index] + slot.offset;
    case Slot::Kind::arena:
      return plan.arena + slot.offset;
    case Slot::Kind::constant:
      return constants_[slot.index] + slot.offset;
  }
  std::unreachable();
}

StatusOr<> Program::run(std::uint32_t plan, std::byte* arena, RunContext& context) {
  plans_[plan].arena = arena;
  return run_steps(plans_[plan], context);
}

// Recursion is bounded by kMaxPlanDepth (P2).
StatusOr<> Program::run_steps(PlanState& plan, RunContext& context) {
  for (Step& step : plan.steps) {
    if (const auto* launch = std::get_if<Launch>(step.instruction)) {
      HYP_TRY_VOID(run_launch(plan, step, *launch, context));
    } else if (const auto* copy = std::get_if<Copy>(step.instruction)) {
      std::byte* to = resolve(plan, copy->to);
      const std::byte* from = resolve(plan, copy->from);
      // An output that took over its donor may be copied onto itself.
      if (to != from && copy->to.bytes != 0) std::memcpy(to, from, copy->to.bytes);
    } else if (const auto* call = std::get_if<Call>(step.instruction)) {
      HYP_TRY_VOID(
          run_entry(plan, call->plan, call->arguments, call->outputs, call->frame, context));
    } else if (const auto* cond = std::get_if<Cond>(step.instruction)) {
      const bool taken = *resolve(plan, cond->predicate) != std::byte{0};
      HYP_TRY_VOID(run_entry(plan, taken ? cond->then_plan : cond->else_plan, cond->arguments,
                             cond->outputs, cond->frame, context));
    } else if (const auto* loop = std::get_if<WhileLoop>(step.instruction)) {
      HYP_TRY_VOID(run_while(plan, step, *loop, context));
    } else {
      HYP_TRY_VOID(run_scan(plan, step, std::get<Scan>(*step.instruction), context));
    }
  }
  return {};
}

StatusOr<> Program::run_launch(PlanState& plan, const Step& step, const Launch& launch,
                               RunContext& context) {
  for (std::size_t i = 0; i < launch.buffers.size(); ++i) {
    launch_buffers_[i] = resolve(plan, launch.buffers[i]);
  }
  const LaunchView view{launch, std::span(launch_buffers_).first(launch.buffers.size())};
  for (const auto& observer : context.observers) observer->before(view);
  ++context.launches;
  const Ticks start = now_ticks();
  if (step.worth_forking && context.pool.threads() > 1) {
    ++context.forks;
    context.pool.parallel_for(
        launch.tiles, [&](std::int64_t begin, std::int64_t end, int worker) noexcept {
          step.kernel(launch_buffers_.data(), begin, end,
                      context.scratch + static_cast<std::size_t>(worker) * context.scratch_stride);
        });
  } else if (launch.tiles > 0) {
    step.kernel(launch_buffers_.data(), 0, launch.tiles, context.scratch);
  }
  context.profiler.record(*step.label, start, now_ticks());
  for (const auto& observer : context.observers) HYP_TRY_VOID(observer->after(view));
  return {};
}

StatusOr<> Program::run_entry(PlanState& caller, std::uint32_t callee,
                              const std::vector<Slot>& arguments, const std::vector<Slot>& outputs,
                              const Slot& frame, RunContext& context) {
  PlanState& plan = plans_[callee];
  for (std::size_t i = 0; i < arguments.size(); ++i)
    plan.arguments[i] = resolve(caller, arguments[i]);
  for (std::size_t i = 0; i < outputs.size(); ++i) plan.outputs[i] = resolve(caller, outputs[i]);
  plan.arena = resolve(caller, frame);
  return run_steps(plan, context);
}

void Program::begin_carried(const PlanState& plan, const std::vector<Carried>& carried,
                            Step& step) const {
  for (std::size_t i = 0; i < carried.size(); ++i) {
    step.current[i] = resolve(plan, carried[i].initial);
    step.next[i] = resolve(plan, carried[i].result);
  }
}

void Program::advance_carried(const PlanState& plan, const std::vector<Carried>& carried,
                              Step& step) const {
  for (std::size_t i = 0; i < carried.size(); ++i) {
    std::byte* result = resolve(plan, carried[i].result);
    step.current[i] = step.next[i];
    step.next[i] = step.current[i] == result ? resolve(plan, carried[i].spare) : result;
  }
}

void Program::finish_carried(const PlanState& plan, const std::vector<Carried>& carried,
                             Step& step) const {
  for (std::size_t i = 0; i < carried.size(); ++i) {
    std::byte* result = resolve(plan, carried[i].result);
    const std::size_t bytes = carried[i].result.bytes;
    if (step.current[i] != result && bytes != 0) std::memcpy(result, step.current[i], bytes);
  }
}

// The pointers of condition and body are filled anew for each entry: either may enter the other.
StatusOr<> Program::run_while(PlanState& plan, Step& step, const WhileLoop& loop,
                              RunContext& context) {
  const auto enter = [&](PlanState& callee) {
    std::ranges::copy(step.current, callee.arguments.begin());
    for (std::size_t i = 0; i < loop.captures.size(); ++i) {
      callee.arguments[loop.carried.size() + i] = resolve(plan, loop.captures[i]);
    }
    callee.arena = resolve(plan, loop.frame);
  };
  PlanState& condition = plans_[loop.condition];
  PlanState& body = plans_[loop.body];
  std::byte* predicate = resolve(plan, loop.predicate);
  begin_carried(plan, loop.carried, step);
  for (;;) {
    enter(condition);
    condition.outputs[0] = predicate;
    HYP_TRY_VOID(run_steps(condition, context));
    if (*predicate == std::byte{0}) break;
    enter(body);
    std::ranges::copy(step.next, body.outputs.begin());
    HYP_TRY_VOID(run_steps(body, context));
    advance_carried(plan, loop.carried, step);
    HYP_TRY_VOID(check_deadline(context));
  }
  finish_carried(plan, loop.carried, step);
  return {};
}

StatusOr<> Program::run_scan(PlanState& plan, Step& step, const Scan& scan, RunContext& context) {
  PlanState& body = plans_[scan.body];
  body.arena = resolve(plan, scan.frame);
  const std::size_t carried = scan.carried.size();
  for (std::size_t i = 0; i < scan.captures.size(); ++i) {
    body.arguments[carried + scan.inputs.size() + i] = resolve(plan, scan.captures[i]);
  }
  const auto slice = [&](const Stepped& value, std::uint64_t at) {
    return resolve(plan, value.whole) + at * value.stride;
  };
  begin_carried(plan, scan.carried, step);
  for (std::int64_t i = 0; i < scan.length; ++i) {
    const auto at = static_cast<std::uint64_t>(scan.reverse ? scan.length - 1 - i : i);
    std::ranges::copy(step.current, body.arguments.begin());
    std::ranges::copy(step.next, body.outputs.begin());
    for (std::size_t j = 0; j < scan.inputs.size(); ++j) {
      body.arguments[carried + j] = slice(scan.inputs[j], at);
    }
    for (std::size_t j = 0; j < scan.outputs.size(); ++j) {
      body.outputs[carried + j] = slice(scan.outputs[j], at);
    }
    HYP_TRY_VOID(run_steps(body, context));
    advance_carried(plan, scan.carried, step);
    HYP_TRY_VOID(check_deadline(context));
  }
  finish_carried(plan, scan.carried, step);
  return {};
}

}  // namespace hyperion::runtime

#include "runtime/program.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime {
namespace {

StatusOr<> check_deadline(const RunContext& context) {
  if (context.deadline == TimePoint::max() || std::chrono::steady_clock::now() < context.deadline) {
    return {};
  }
  return error_status(Code::deadline_exceeded, "the execution was stopped between two loop steps",
                      {}, "allow more time, or look for a loop that does not end");
}

}  // namespace

StatusOr<std::unique_ptr<Program>> Program::load(std::shared_ptr<const Module> module,
                                                 const Device& device, DeviceQueue& queue,
                                                 CodeLoader* loader, Profiler& profiler) {
  std::unique_ptr<Program> program(new Program(std::move(module), queue));
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
  HYP_TRY_VOID(program->place_constants(device));
  for (const Plan& plan : source.plans) {
    PlanState state;
    state.arguments.resize(plan.argument_bytes.size());
    state.outputs.resize(plan.output_bytes.size());
    for (const Instruction& instruction : plan.instructions) {
      HYP_TRY(Step step, program->make_step(instruction, profiler));
      state.steps.push_back(std::move(step));
      state.is_fixed = state.is_fixed && program->is_fixed(instruction);
    }
    program->plans_.push_back(std::move(state));
  }
  return program;
}

StatusOr<> Program::place_constants(const Device& device) {
  for (const Constant& constant : module_->constants) {
    if (device.is_host()) {
      constants_.push_back(const_cast<std::byte*>(constant.bytes.data()));  // P4: never written
      continue;
    }
    HYP_TRY(Buffer buffer, Buffer::allocate(device, constant.bytes.size()));
    HYP_TRY_VOID(device.backend().upload(buffer.data(), constant.bytes));
    constants_.push_back(buffer.data());
    constant_buffers_.push_back(std::move(buffer));
  }
  return {};
}

StatusOr<Program::Step> Program::make_step(const Instruction& instruction, Profiler& profiler) {
  Step step{&instruction};
  if (const auto* launch = std::get_if<Launch>(&instruction)) {
    HYP_TRY(step.kernel, bind(*launch, profiler));
    launch_buffers_.resize(std::max(launch_buffers_.size(), launch->buffers.size()));
    scratch_bytes_ = std::max(scratch_bytes_, launch->scratch_bytes);
  } else if (const auto* loop = std::get_if<WhileLoop>(&instruction)) {
    step.current.resize(loop->carried.size());
    step.next.resize(loop->carried.size());
  } else if (const auto* scan = std::get_if<Scan>(&instruction)) {
    step.current.resize(scan->carried.size());
    step.next.resize(scan->carried.size());
  }
  return step;
}

StatusOr<std::unique_ptr<LoadedKernel>> Program::bind(const Launch& launch,
                                                      Profiler& profiler) const {
  if (code_ != nullptr) {
    HYP_TRY(auto kernel, code_->bind(launch, queue_, profiler));
    if (kernel != nullptr) return kernel;
  }
  return error_status(Code::not_found, format("no code for kernel '{}'", launch.kernel),
                      launch.location, "the module is incomplete: build it again");
}

// Plans that control flow enters have smaller indices (P2), so they are loaded already.
bool Program::is_fixed(const Instruction& instruction) const {
  if (const auto* call = std::get_if<Call>(&instruction)) return is_fixed(call->plan);
  if (const auto* scan = std::get_if<Scan>(&instruction)) return is_fixed(scan->body);
  return std::holds_alternative<Launch>(instruction) || std::holds_alternative<Copy>(instruction);
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
      // An output that took over its donor may be copied onto itself.
      HYP_TRY_VOID(queue_.copy(resolve(plan, copy->to), resolve(plan, copy->from), copy->to.bytes));
    } else if (const auto* call = std::get_if<Call>(step.instruction)) {
      HYP_TRY_VOID(
          run_entry(plan, call->plan, call->arguments, call->outputs, call->frame, context));
    } else if (const auto* cond = std::get_if<Cond>(step.instruction)) {
      HYP_TRY(const bool taken, queue_.read_flag(resolve(plan, cond->predicate)));
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

StatusOr<> Program::run_launch(PlanState& plan, Step& step, const Launch& launch,
                               RunContext& context) {
  for (std::size_t i = 0; i < launch.buffers.size(); ++i) {
    launch_buffers_[i] = resolve(plan, launch.buffers[i]);
  }
  const LaunchView view{launch, std::span(launch_buffers_).first(launch.buffers.size())};
  for (const auto& observer : context.observers) observer->before(view);
  ++context.launches;
  HYP_TRY_VOID(step.kernel->run(view.buffers, context.launch));
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

StatusOr<> Program::finish_carried(const PlanState& plan, const std::vector<Carried>& carried,
                                   Step& step) const {
  for (std::size_t i = 0; i < carried.size(); ++i) {
    HYP_TRY_VOID(
        queue_.copy(resolve(plan, carried[i].result), step.current[i], carried[i].result.bytes));
  }
  return {};
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
    HYP_TRY(const bool goes_on, queue_.read_flag(predicate));
    if (!goes_on) break;
    enter(body);
    std::ranges::copy(step.next, body.outputs.begin());
    HYP_TRY_VOID(run_steps(body, context));
    advance_carried(plan, loop.carried, step);
    HYP_TRY_VOID(check_deadline(context));
  }
  return finish_carried(plan, loop.carried, step);
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
  return finish_carried(plan, scan.carried, step);
}

}  // namespace hyperion::runtime

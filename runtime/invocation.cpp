#include "runtime/invocation.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime {
namespace {

std::string type_text(const ViewDesc& desc) {
  return format("{}[{}]", dtype_name(desc.dtype), fmt::join(desc.dims, ", "));
}

TimePoint deadline_after(Duration timeout) {
  return timeout == Duration::max() ? TimePoint::max() : std::chrono::steady_clock::now() + timeout;
}

Duration time_left(TimePoint deadline) {
  if (deadline == TimePoint::max()) return Duration::max();
  return std::max(Duration::zero(), Duration(deadline - std::chrono::steady_clock::now()));
}

StatusOr<> check_argument(const BoundFunction& target, std::size_t i, const BufferView& view,
                          const Device& device) {
  const auto refuse = [&](Code code, std::string_view problem, std::string advice) {
    return error_status(code, format("argument {} of '{}' {}", i, target.function->name, problem),
                        {}, std::move(advice));
  };
  if (!view) return refuse(Code::invalid_argument, "is empty", "pass a value");
  if (view.buffer().spent()) {
    return refuse(Code::failed_precondition, "was donated to an earlier execution",
                  "use that execution's outputs, or do not donate a value that is needed later");
  }
  const ViewDesc& expected = *target.arguments[i];
  const ViewDesc& actual = view.desc();
  // The output of one call is often the argument of the next, with the very same description.
  if (&actual != &expected && (actual.dtype != expected.dtype || actual.dims != expected.dims)) {
    return refuse(Code::invalid_argument,
                  format("is {}, expected {}", type_text(actual), type_text(expected)), "");
  }
  if (view.buffer().device() != device) {
    return refuse(
        Code::invalid_argument,
        format("is on {}, the executor runs on another device", view.buffer().device().name()),
        "copy it there first");
  }
  return {};
}

}  // namespace

bool is_aligned(const std::byte* data) {
  return reinterpret_cast<std::uintptr_t>(data) % kAlignment == 0;
}

StatusOr<BoundFunction> BoundFunction::make(Program& program, const Function& function,
                                            Profiler& profiler) {
  BoundFunction bound;
  bound.program = &program;
  bound.function = &function;
  bound.label = &profiler.label({.name = function.name, .category = "run"});
  for (const TensorType& type : function.arguments) {
    HYP_TRY(auto desc, ViewDesc::dense(type.dtype, type.dims));
    bound.arguments.push_back(std::move(desc));
  }
  for (const OutputType& output : function.outputs) {
    HYP_TRY(auto desc, ViewDesc::dense(output.type.dtype, output.type.dims));
    bound.outputs.push_back(std::move(desc));
  }
  return bound;
}

StatusOr<> Invocation::bind(const BoundFunction& function, const Device& device,
                            std::span<const BufferView> views, const ExecuteOptions& options,
                            const Event& ready) {
  if (views.size() != function.arguments.size()) {
    return error_status(Code::invalid_argument,
                        format("'{}' takes {} arguments, got {}", function.function->name,
                               function.arguments.size(), views.size()));
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    HYP_TRY_VOID(check_argument(function, i, views[i], device));
  }
  target = &function;
  deadline = deadline_after(options.timeout);
  call_location = options.call_location;
  wait_for.assign(options.wait_for.begin(), options.wait_for.end());
  for (const BufferView& view : views) {
    arguments.push_back(view);
    view.buffer().begin_use();
  }
  return bind_outputs(device, ready);
}

StatusOr<> Invocation::bind_outputs(const Device& device, const Event& ready) {
  for (std::size_t i = 0; i < target->outputs.size(); ++i) {
    Buffer buffer = take_donated(target->function->outputs[i], ready);
    if (!buffer) {
      HYP_TRY(buffer, Buffer::allocate(device, target->outputs[i]->bytes, ready));
    }
    outputs.push_back(std::move(buffer));
  }
  // What no output could use is spent all the same: programs must not come to depend on chance.
  for (const BufferView& view : arguments) {
    if (view.donated()) view.buffer().spend();
  }
  return {};
}

// Only a whole buffer can change hands.
Buffer Invocation::take_donated(const OutputType& output, const Event& ready) {
  if (output.donor < 0) return {};
  const BufferView& view = arguments[static_cast<std::size_t>(output.donor)];
  if (!view.donated()) return {};
  const bool whole = view.desc().is_dense && view.offset() == 0 &&
                     view.desc().bytes == view.buffer().bytes() && is_aligned(view.data());
  Buffer taken = whole ? view.buffer().take_over(ready) : Buffer();
  ++(taken ? donations_used : donations_missed);
  return taken;
}

void Invocation::append_views(std::vector<BufferView>& views) const {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    views.emplace_back(outputs[i], target->outputs[i]);
  }
}

StatusOr<> Invocation::wait_for_inputs() const {
  for (const Event& event : wait_for) HYP_TRY_VOID(event.wait(time_left(deadline)));
  for (const BufferView& view : arguments) {
    if (view.ready().ready() && view.ready().error() == nullptr) continue;
    HYP_TRY_VOID(view.ready().wait(time_left(deadline)));
  }
  return {};
}

void Invocation::clear() {
  for (const BufferView& view : arguments) view.buffer().end_use();
  arguments.clear();
  outputs.clear();
  copies.clear();
  wait_for.clear();
  donations_used = donations_missed = 0;
}

}  // namespace hyperion::runtime

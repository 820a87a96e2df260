// control.hpp: decisions and loops that stay in the program.
//
// A C++ `if` or `for` inside a traced function runs while it is traced: it decides once, and a loop is written out. What
// depends on values goes through these. Branches and bodies are functions of trees; they may use tensors from outside.
//
//   auto y = cond(sum(x) > 0.0, [](auto x) { return x; }, [](auto x) { return -x; }, x);
//   auto [state, outputs] = scan([](State s, Tensor x) { return std::pair(next(s, x), s.value); }, first, sequence);
//
// cond and scan have all derivatives; while_loop has forward derivatives only, since how often it runs is not known before.
#pragma once

#include "frontend/transforms.hpp"

namespace hyperion {

namespace frontend {

std::vector<Tensor> apply_cond(const Operand& predicate, const TracedFunction& on_true, const TracedFunction& on_false,
                               std::span<const Tensor> arguments, Location where);
std::vector<Tensor> apply_while(const TracedFunction& condition, const TracedFunction& body,
                                std::span<const Tensor> state, Location where);
// Arguments are the carries, then the sequences; results the carries, then the stacked outputs.
std::vector<Tensor> apply_scan(const TracedFunction& body, std::span<const Tensor> carries,
                               std::span<const Tensor> sequences, std::int64_t length, bool reverse, Location where);
void require_same_structure(std::string_view what, const tree::Flattened& a, const tree::Flattened& b, Location where);

}  // namespace frontend

// on_true(args...) where the scalar predicate holds, else on_false(args...). Both give the same types.
template <class OnTrue, class OnFalse, class... Args>
auto cond(Operand predicate, OnTrue on_true, OnFalse on_false, const Args&... args) {
  const Location where = predicate.location();
  const auto yes = frontend::trace_call("on_true", on_true, where, args...);
  const auto no = frontend::trace_call("on_false", on_false, where, args...);
  frontend::require_same_structure("cond", tree::flatten(yes.prototype), tree::flatten(no.prototype), where);
  return yes.rebuild(frontend::apply_cond(predicate, yes.function, no.function, yes.arguments, where));
}

// body(body(...(state))) for as long as condition(state), a bool scalar, holds.
template <class Condition, class Body, class State>
State while_loop(Condition condition, Body body, const State& state,
                 std::source_location place = std::source_location::current()) {
  const Location where = frontend::user_line(place);
  const auto test = frontend::trace_call("condition", condition, where, state);
  const auto step = frontend::trace_call("body", body, where, state);
  static_assert(std::is_same_v<std::decay_t<decltype(step.prototype)>, State>, "the body of a loop returns its state");
  return tree::unflatten(state, frontend::apply_while(test.function, step.function, step.arguments, where));
}

struct ScanOptions {
  bool reverse = false;
};

// (carry, y[i]) = body(carry, x[i]) for i = 0, 1, ...; x[i] are the slices of every tensor in `sequences` along axis 0.
// Gives the last carry and the y stacked.
template <class Body, class Carry, class Sequences>
auto scan(Body body, const Carry& carry, const Sequences& sequences, ScanOptions options = {},
          std::source_location place = std::source_location::current()) {
  const Location where = frontend::user_line(place);
  const std::vector<Tensor> carries = tree::flatten(carry).tensors, whole = tree::flatten(sequences).tensors;
  std::vector<Type> types = frontend::types_of(carries);
  for (const Tensor& sequence : whole) types.push_back(sequence.type());
  std::vector<bool> stacked(types.size(), true);
  std::fill_n(stacked.begin(), carries.size(), false);
  const std::int64_t length = frontend::take_batch_axis(types, stacked, where);
  const auto call = frontend::trace_call("body", body, types, where, carry, sequences);
  static_assert(std::is_same_v<std::decay_t<decltype(call.prototype.first)>, Carry>,
                "the body of a scan returns std::pair(carry, output)");
  return call.rebuild(frontend::apply_scan(call.function, carries, whole, length, options.reverse, where));
}

}  // namespace hyperion

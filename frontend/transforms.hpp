// transforms.hpp: functions of plain structs, compiled, differentiated, batched.
//
//   auto step = jit([](Model model, Batch batch) { ... return std::pair(model, loss); }, {.donate = {0}});
//   auto [loss, gradient] = value_and_grad(loss_of)(model, batch);      // gradient is a Model
//
// Arguments and results are trees (tree.hpp). A transform calls the function once on stand-ins and keeps what it
// recorded, so the function must be made of tensor operations: reading a value inside is an error that names the line.
// Transforms nest freely, and what they return can be called anywhere, inside other transforms too.
//
//   jit       compiles the function as a whole, once for each signature: tensors' types, device, static members, structure.
//             What it uses from outside is captured with its value at that time. Donated arguments are spent by the
//             call: their memory may become the results'.
//   grad      of a function whose first result is a floating scalar, by the tensors of one argument (grad<1>: the
//             second), which must all be floating. A result std::pair(loss, aux) is passed through; no gradient flows through aux.
//   vmap      maps over axis 0 of all arguments, or of those listed in `batched`.
//   checkpoint  recomputes the function in the backward pass instead of remembering what is inside it.
//
// Thread safety: what a transform returns may be called from several threads.
#pragma once

#include <functional>
#include <source_location>
#include <type_traits>
#include <utility>

#include "frontend/ops/elementwise.hpp"
#include "frontend/trace.hpp"
#include "frontend/tree.hpp"

namespace hyperion {

namespace frontend {

template <class F, class... Args>
using ResultOf = std::decay_t<std::invoke_result_t<const F&, const Args&...>>;

// A function traced on some arguments, with the trees that turn flat tensors back into structs.
template <class Result>
struct TracedCall {
  TracedFunction function;
  std::vector<Tensor> arguments;         // of all argument trees, in order
  std::vector<std::size_t> ends;         // where each argument's tensors end
  Result prototype;

  Result rebuild(std::span<const Tensor> tensors) const { return tree::unflatten(prototype, tensors); }
  std::vector<bool> select(int argument) const {
    std::vector<bool> chosen(arguments.size(), false);
    const auto k = static_cast<std::size_t>(argument);  // REQUIRES: there is such an argument
    for (std::size_t i = k == 0 ? 0 : ends[k - 1]; i < ends[k]; ++i) chosen[i] = true;
    return chosen;
  }
};

template <class T>
T as_prototype(const T& result) {
  return tree::map(result, [](const Tensor&) { return placeholder(); });
}

template <class... Args>
std::vector<std::size_t> argument_ends(const Args&... args) {
  std::vector<std::size_t> ends;
  (ends.push_back((ends.empty() ? 0 : ends.back()) + tree::flatten(args).tensors.size()), ...);
  return ends;
}

// `types` are those of the stand-ins; `adapt` turns the function's result tensors into those of the trace.
template <class F, class... Args>
auto trace_call(const char* transform, const F& f, std::span<const Type> types, Location where, const Args&... args) {
  using Result = ResultOf<F, Args...>;
  static_assert(!std::is_void_v<Result>, "a transformed function returns a tree of tensors");
  const std::tuple<Args...> packed(args...);
  std::vector<Tensor> arguments = tree::flatten(packed).tensors;
  const ScopedDevice there(device_of(arguments));  // data that the function makes
  const Trace trace(transform, types, arguments, where);
  const Result result = std::apply(f, tree::unflatten(packed, trace.parameters()));
  return TracedCall<Result>{trace.finish(tree::flatten(result).tensors), std::move(arguments),
                            argument_ends(args...), as_prototype(result)};
}

template <class F, class... Args>
auto trace_call(const char* transform, const F& f, Location where, const Args&... args) {
  const std::tuple<Args...> packed(args...);
  return trace_call(transform, f, types_of(tree::flatten(packed).tensors), where, args...);
}

// A pair(loss, aux) whose aux is outside of the differentiable part.
template <class Result>
Result detach_aux(Result result) {
  if constexpr (tree::is_instance<Result, std::pair>) {
    result.second = tree::map(result.second, [](const Tensor& t) { return stop_gradient(t); });
  }
  return result;
}

// Cotangents of the results of a loss: one for the loss, nothing for the others. Raises when the first result is not a
// floating scalar.
std::vector<Tensor> loss_seed(const TracedFunction& f, Location where);
// `names` of the argument's tensors are for the message.
void require_floating(std::span<const Tensor> tensors, const std::vector<std::string>& names, int argument, Location where);
void require_equal_types(std::string_view transform, std::span<const Tensor> given, std::span<const Tensor> expected,
                         Location where);
// Cotangents of all arguments, zeros for those without.
std::vector<Tensor> apply_pullback(const TracedFunction& f, std::span<const Tensor> arguments,
                                   std::span<const Tensor> cotangents, Location where);
// Results and their tangents, zeros for those without.
std::pair<std::vector<Tensor>, std::vector<Tensor>> apply_pushforward(const TracedFunction& f,
                                                                      std::span<const Tensor> arguments,
                                                                      std::span<const Tensor> tangents, Location where);
// Raises when an option names an argument that the function is not given, or has not one claim for each.
void require_arguments(std::string_view option, std::span<const int> named, std::size_t arguments, Location where);
void require_claims(std::string_view option, std::size_t claims, std::size_t arguments, Location where);
// The common size of axis 0 of the batched tensors; `types` become those of one example.
std::int64_t take_batch_axis(std::vector<Type>& types, const std::vector<bool>& batched, Location where);

}  // namespace frontend

// ---- jit ---------------------------------------------------------------------------------------------------------

struct JitOptions {
  std::vector<int> donate;  // numbers of arguments
};

template <class F>
class Jitted {
 public:
  Jitted(F f, JitOptions options, Location where)
      : function_(std::move(f)), options_(std::move(options)), cache_(std::make_shared<frontend::JitCache>(where)) {}

  template <class... Args>
  auto operator()(const Args&... args) const {
    using Result = frontend::ResultOf<F, Args...>;
    const std::type_index kind = typeid(std::tuple<Args...>);
    const tree::Flattened flat = tree::flatten(std::tuple<Args...>(args...));
    const std::vector<Type> types = frontend::types_of(flat.tensors);
    const Device device = frontend::device_of(flat.tensors);
    std::shared_ptr<frontend::JitEntry> entry = cache_->find(kind, flat.structure, types, device);
    if (!entry) {
      frontend::require_arguments("jit: donate", options_.donate, sizeof...(Args), cache_->where());
      auto call = frontend::trace_call("jit", function_, types, cache_->where(), args...);
      std::vector<bool> donated(call.arguments.size(), false);
      for (int argument : options_.donate) {
        const std::vector<bool> chosen = call.select(argument);
        for (std::size_t k = 0; k < chosen.size(); ++k) donated[k] = donated[k] || chosen[k];
      }
      entry = cache_->add(kind, flat.structure, types, device, std::move(call.function), std::move(donated),
                          std::make_shared<const Result>(std::move(call.prototype)));
    }
    return tree::unflatten(*static_cast<const Result*>(entry->prototype.get()), cache_->run(*entry, flat.tensors));
  }

  // How often the function was traced: once for each signature.
  std::size_t trace_count() const { return cache_->trace_count(); }

 private:
  F function_;
  JitOptions options_;
  std::shared_ptr<frontend::JitCache> cache_;
};

template <class F>
Jitted<F> jit(F f, JitOptions options = {}, std::source_location where = std::source_location::current()) {
  return Jitted<F>(std::move(f), std::move(options), frontend::user_line(where));
}

// ---- derivatives -------------------------------------------------------------------------------------------------

template <class Value, class Gradient>
struct ValueAndGradient {
  Value value;
  Gradient gradient;
};

// Value and gradient of f by argument number `Argument`, as one computation.
template <int Argument = 0, class F>
auto value_and_grad(F f, std::source_location place = std::source_location::current()) {
  return [f = std::move(f), where = frontend::user_line(place)](const auto&... args) {
    const auto detached = [&f](const auto&... inner) { return frontend::detach_aux(f(inner...)); };
    const auto call = frontend::trace_call("grad", detached, where, args...);
    const auto& argument = std::get<Argument>(std::tie(args...));
    using Value = std::decay_t<decltype(call.prototype)>;
    using Gradient = std::decay_t<decltype(argument)>;
    frontend::require_floating(tree::flatten(argument).tensors, tree::names(argument), Argument, where);
    const std::vector<Tensor> seed = frontend::loss_seed(call.function, where);
    const std::vector<Tensor> all =
        frontend::apply_vjp(call.function, call.arguments, call.select(Argument), seed, where);
    const std::span<const Tensor> results(all);
    return ValueAndGradient<Value, Gradient>{call.rebuild(results.first(seed.size())),
                                             tree::unflatten(argument, results.subspan(seed.size()))};
  };
}

// The gradient alone.
template <int Argument = 0, class F>
auto grad(F f, std::source_location place = std::source_location::current()) {
  return [both = value_and_grad<Argument>(std::move(f), place)](const auto&... args) { return both(args...).gradient; };
}

// vjp(f, primals) = (value, pullback): pullback(cotangent), with a tree like the value, gives the cotangents of the
// arguments as a std::tuple. Static members and tensors that are not floating have no cotangent: zeros.
template <class F, class... Args>
auto vjp(F f, const std::tuple<Args...>& primals, std::source_location place = std::source_location::current()) {
  const Location where = frontend::user_line(place);
  auto call = std::apply([&](const Args&... args) { return frontend::trace_call("vjp", f, where, args...); }, primals);
  auto value = call.rebuild(frontend::apply_function(call.function, call.arguments));
  auto pullback = [call, value, primals, where](const decltype(value)& cotangent) {
    const std::vector<Tensor> seeds = tree::flatten(cotangent).tensors;
    frontend::require_equal_types("vjp", seeds, tree::flatten(value).tensors, where);
    return tree::unflatten(primals, frontend::apply_pullback(call.function, call.arguments, seeds, where));
  };
  return std::pair(std::move(value), std::move(pullback));
}

// jvp(f, primals, tangents) = (value, tangent of the value). Tangents of tensors that are not floating are ignored. In
// both, primals and tangents are a std::tuple of f's arguments.
template <class F, class... Args>
auto jvp(F f, const std::tuple<Args...>& primals, const std::tuple<Args...>& tangents,
         std::source_location place = std::source_location::current()) {
  const Location where = frontend::user_line(place);
  const auto call = std::apply([&](const Args&... args) { return frontend::trace_call("jvp", f, where, args...); }, primals);
  const std::vector<Tensor> directions = tree::flatten(tangents).tensors;
  frontend::require_equal_types("jvp", directions, call.arguments, where);
  const auto [values, derivatives] = frontend::apply_pushforward(call.function, call.arguments, directions, where);
  return std::pair(call.rebuild(values), call.rebuild(derivatives));
}

// Derivatives of a tensor by a tensor, the first argument: shape [result..., argument...]. Forward mode costs one pass
// an element of the argument, reverse mode one an element of the result.
template <class F>
auto jacobian(F f, bool forward = false, std::source_location place = std::source_location::current()) {
  return [f = std::move(f), forward, where = frontend::user_line(place)](const Tensor& x, const auto&... args) {
    const auto call = frontend::trace_call("jacobian", f, where, x, args...);
    return frontend::apply_jacobian(call.function, call.arguments, forward, where);
  };
}

// Second derivatives of a scalar function of a tensor: forward over reverse.
template <class F>
auto hessian(F f, std::source_location place = std::source_location::current()) {
  return jacobian(grad(std::move(f), place), true, place);
}

// ---- batching and memory -----------------------------------------------------------------------------------------

struct VmapOptions {
  std::vector<bool> batched;  // one claim an argument; empty: all are
};

template <class F>
auto vmap(F f, VmapOptions options = {}, std::source_location place = std::source_location::current()) {
  return [f = std::move(f), options, where = frontend::user_line(place)](const auto&... args) {
    const std::vector<Tensor> arguments = tree::flatten(std::tuple<std::decay_t<decltype(args)>...>(args...)).tensors;
    if (!options.batched.empty()) {
      frontend::require_claims("vmap: batched", options.batched.size(), sizeof...(args), where);
    }
    std::vector<bool> batched;
    std::size_t argument = 0, at = 0;
    for (std::size_t end : frontend::argument_ends(args...)) {
      for (; at < end; ++at) batched.push_back(options.batched.empty() || options.batched[argument]);
      ++argument;
    }
    std::vector<Type> types = frontend::types_of(arguments);
    const std::int64_t size = frontend::take_batch_axis(types, batched, where);
    const auto call = frontend::trace_call("vmap", f, types, where, args...);
    return call.rebuild(frontend::apply_vmap(call.function, arguments, batched, size));
  };
}

// The same function; what it remembers for the backward pass is only its arguments.
template <class F>
auto checkpoint(F f, std::source_location place = std::source_location::current()) {
  return [f = std::move(f), where = frontend::user_line(place)](const auto&... args) {
    const auto call = frontend::trace_call("checkpoint", f, where, args...);
    return call.rebuild(frontend::apply_checkpoint(call.function, call.arguments, where));
  };
}

}  // namespace hyperion

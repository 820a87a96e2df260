// optimizers.hpp: rules that improve parameters. Formulas and defaults are PyTorch's.
//
//   const optim::AdamW rule{.weight_decay = 0.1};
//   auto state = optim::start(rule, model, 3e-4);                    // a tree: it can be donated and saved
//   state.learning_rate = optim::cosine(state.step, {...});          // inside the step: part of the same program
//   std::tie(model, state) = optim::update(rule, model, gradient, state);
//
// Parameters, gradients and moments are trees of one structure. The step counter and the learning rate are tensors, so a
// compiled step serves the whole training; the rule's other numbers are part of the program. Arithmetic is in the
// parameters' type.
#pragma once

#include <utility>

#include "frontend/ops/creation.hpp"
#include "frontend/tensor.hpp"
#include "frontend/trace.hpp"
#include "frontend/tree.hpp"

namespace hyperion::optim {

// Which tensors weight decay acts on. `matrices`: those with two axes or more, and so neither biases nor norms.
enum class Decay : std::uint8_t { all, matrices };

// One parameter with what its rule remembers about it; a moment that the rule does not use is an empty tensor.
struct Item {
  Tensor parameter, first, second, third;
};
struct Progress {
  Tensor step;           // i64: updates done before this one
  Tensor learning_rate;  // f32
};

// g += decay p;  v = momentum v + (1 - dampening) g, in the first step v = g;  p -= rate v, with nesterov g + momentum v.
struct SGD {
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;
  double weight_decay = 0;
  Decay decay = Decay::all;

  bool has_first() const { return momentum != 0; }
  bool has_second() const { return false; }
  bool has_third() const { return false; }
  Item step(const Item& item, const Tensor& gradient, const Progress& progress) const;
};

// s = alpha s + (1 - alpha) g^2;  p -= rate g / (sqrt(s) + epsilon), through v = momentum v + ... with momentum. Centered:
// a = alpha a + (1 - alpha) g, and s - a^2, the variance of g, takes the place of s.
struct RMSprop {
  double alpha = 0.99;
  double epsilon = 1e-8;
  double momentum = 0;
  double weight_decay = 0;
  Decay decay = Decay::all;
  bool centered = false;

  bool has_first() const { return momentum != 0; }
  bool has_second() const { return true; }
  bool has_third() const { return centered; }
  Item step(const Item& item, const Tensor& gradient, const Progress& progress) const;
};

// m = b1 m + (1 - b1) g;  s = b2 s + (1 - b2) g^2;  p -= rate (m / (1 - b1^t)) / (sqrt(s / (1 - b2^t)) + epsilon).
// Weight decay is added to g. With amsgrad, the largest s so far takes the place of s.
struct Adam {
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  Decay decay = Decay::all;
  bool amsgrad = false;

  bool has_first() const { return true; }
  bool has_second() const { return true; }
  bool has_third() const { return amsgrad; }
  Item step(const Item& item, const Tensor& gradient, const Progress& progress) const;
};

// Adam whose weight decay acts on the parameter itself: p *= 1 - rate * decay, first.
struct AdamW {
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  Decay decay = Decay::all;
  bool amsgrad = false;

  bool has_first() const { return true; }
  bool has_second() const { return true; }
  bool has_third() const { return amsgrad; }
  Item step(const Item& item, const Tensor& gradient, const Progress& progress) const;
};

// What a rule remembers. `first`, `second` and `third` have a tensor without elements where the rule has no such moment.
template <class Parameters>
struct State {
  Tensor step;
  Tensor learning_rate;
  Parameters first;
  Parameters second;
  Parameters third;
};

template <class Rule, class Parameters>
State<Parameters> start(const Rule& rule, const Parameters& parameters, double learning_rate) {
  const auto moment = [&](bool is_used) {
    return tree::map(parameters, [&](const Tensor& p) { return is_used ? zeros_like(p) : zeros({0}, p.dtype()); });
  };
  const ScopedDevice there(frontend::device_of(tree::flatten(parameters).tensors));
  return {zeros({}, DType::i64), tensor(learning_rate), moment(rule.has_first()), moment(rule.has_second()), moment(rule.has_third())};
}

// The parameters and the state after one step. The trees have one structure.
template <class Rule, class Parameters>
std::pair<Parameters, State<Parameters>> update(const Rule& rule, const Parameters& parameters,
                                                const Parameters& gradients, const State<Parameters>& state,
                                                std::source_location where = std::source_location::current()) {
  const frontend::UserLine line(where);
  std::vector<Tensor> p = tree::flatten(parameters).tensors, first = tree::flatten(state.first).tensors,
                      second = tree::flatten(state.second).tensors, third = tree::flatten(state.third).tensors;
  const std::vector<Tensor> g = tree::flatten(gradients).tensors;
  if (p.size() != g.size() || p.size() != first.size() || p.size() != second.size() ||
      p.size() != third.size()) {
    tree::raise_structure("update: " + std::to_string(p.size()) + " parameters, " + std::to_string(g.size()) +
                              " gradients, a state for " + std::to_string(first.size()), where);
  }
  for (std::size_t k = 0; k < p.size(); ++k) {
    const Item item = rule.step({p[k], first[k], second[k], third[k]}, g[k], {state.step, state.learning_rate});
    p[k] = item.parameter;
    first[k] = item.first;
    second[k] = item.second;
    third[k] = item.third;
  }
  return {tree::unflatten(parameters, p), State<Parameters>{state.step + 1, state.learning_rate,
                                                            tree::unflatten(state.first, first),
                                                            tree::unflatten(state.second, second),
                                                            tree::unflatten(state.third, third)}};
}

// The Euclidean norm of all gradients together, in f32.
Tensor global_norm(const std::vector<Tensor>& gradients);
// min(1, limit / (norm + 1e-6)), by which every gradient is multiplied.
Tensor clip_factor(const Tensor& norm, double limit);

// Gradients scaled down to a global norm of `limit`, and the norm before.
template <class Gradients>
std::pair<Gradients, Tensor> clip_global_norm(const Gradients& gradients, double limit,
                                              std::source_location where = std::source_location::current()) {
  const frontend::UserLine line(where);
  const Tensor norm = global_norm(tree::flatten(gradients).tensors);
  const Tensor factor = clip_factor(norm, limit);
  return {tree::map(gradients, [&](const Tensor& g) { return g * factor.to(g.dtype()); }), norm};
}

}  // namespace hyperion::optim

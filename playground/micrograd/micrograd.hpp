// micrograd.hpp: automatic differentiation of scalars, in one page.
//
// Read it from top to bottom. A Value is a number that remembers which numbers it was computed
// from, and how fast it changes with each of them (the local slope). That is all the chain rule
// needs: walking from the result back to the inputs, every Value hands each of its inputs its own
// gradient times that slope.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

namespace micrograd {

class Value {
 public:
  Value(double data = 0) : node_(std::make_shared<Node>(Node{data})) {}

  double data() const { return node_->data; }
  double grad() const { return node_->grad; }
  void set_data(double data) { node_->data = data; }
  void clear_grad() { node_->grad = 0; }

  // Each operation is one line: the result, and the slope with respect to each input.
  friend Value operator+(Value a, Value b) { return {a.data() + b.data(), {{a, 1}, {b, 1}}}; }
  friend Value operator*(Value a, Value b) {
    return {a.data() * b.data(), {{a, b.data()}, {b, a.data()}}};
  }
  friend Value pow(Value a, double n) {
    return {std::pow(a.data(), n), {{a, n * std::pow(a.data(), n - 1)}}};
  }
  friend Value exp(Value a) {
    const double e = std::exp(a.data());
    return {e, {{a, e}}};
  }
  friend Value tanh(Value a) {
    const double t = std::tanh(a.data());
    return {t, {{a, 1 - t * t}}};
  }
  friend Value relu(Value a) {
    const bool on = a.data() > 0;
    return {on ? a.data() : 0.0, {{a, on ? 1.0 : 0.0}}};
  }

  // The rest is built from those, and needs no calculus of its own.
  friend Value operator-(Value a) { return a * -1; }
  friend Value operator-(Value a, Value b) { return a + -b; }
  friend Value operator/(Value a, Value b) { return a * pow(b, -1); }
  Value& operator+=(Value other) { return *this = *this + other; }

  // Fills in grad(), the derivative of this value, for everything it was computed from. Gradients
  // add up: clear those of your parameters between two calls.
  void backward() const {
    node_->grad = 1;
    const std::vector<Node*> order = topological_order();
    // From the result to the inputs: when a node's turn comes, all of its users have already paid
    // in.
    for (auto node = order.rbegin(); node != order.rend(); ++node) {
      for (const Edge& edge : (*node)->inputs) edge.to->grad += edge.slope * (*node)->grad;
    }
  }

 private:
  struct Node;
  struct Edge {
    Edge(const Value& input, double s) : to(input.node_), slope(s) {}
    std::shared_ptr<Node> to;
    double slope;  // of the result with respect to `to`
  };
  struct Node {
    double data = 0;
    double grad = 0;
    std::vector<Edge> inputs = {};
  };

  Value(double data, std::vector<Edge> inputs)
      : node_(std::make_shared<Node>(Node{data, 0, std::move(inputs)})) {}

  // Inputs before users: a node is listed once all of its inputs are. The stack holds the path from
  // the result to where we stand, with the number of inputs already visited at each step, so that
  // deep graphs need no deep recursion.
  std::vector<Node*> topological_order() const {
    std::vector<Node*> order;
    std::unordered_set<Node*> seen = {node_.get()};
    std::vector<std::pair<Node*, std::size_t>> path = {{node_.get(), 0}};
    while (!path.empty()) {
      auto& [node, visited] = path.back();
      if (visited == node->inputs.size()) {
        order.push_back(node);
        path.pop_back();
      } else if (Node* input = node->inputs[visited++].to.get(); seen.insert(input).second) {
        path.push_back({input, 0});
      }
    }
    return order;
  }

  std::shared_ptr<Node> node_;
};

// A network of neurons, each tanh(w . x + b): enough to learn what no single line can separate.
class Mlp {
 public:
  // `sizes` = {inputs, hidden..., outputs}.
  explicit Mlp(std::vector<int> sizes, std::uint32_t seed = 1) : sizes_(std::move(sizes)) {
    for (std::size_t layer = 0; layer + 1 < sizes_.size(); ++layer) {
      for (int i = 0; i < (sizes_[layer] + 1) * sizes_[layer + 1]; ++i) {
        seed = seed * 1664525u +
               1013904223u;  // a linear congruential generator: the same start everywhere
        parameters_.push_back(Value(seed / 2147483648.0 - 1));  // -1 to 1
      }
    }
  }

  std::vector<Value> operator()(std::vector<Value> x) const {
    auto parameter = parameters_.begin();
    for (std::size_t layer = 1; layer < sizes_.size(); ++layer) {
      std::vector<Value> y;
      for (int neuron = 0; neuron < sizes_[layer]; ++neuron) {
        Value sum = *parameter++;
        for (const Value& input : x) sum += *parameter++ * input;
        y.push_back(tanh(sum));
      }
      x = std::move(y);
    }
    return x;
  }

  const std::vector<Value>& parameters() const { return parameters_; }

  // One step of gradient descent; clears the gradients for the next.
  void step(double learning_rate) {
    for (Value& parameter : parameters_) {
      parameter.set_data(parameter.data() - learning_rate * parameter.grad());
      parameter.clear_grad();
    }
  }

 private:
  std::vector<int> sizes_;
  std::vector<Value> parameters_;
};

}  // namespace micrograd

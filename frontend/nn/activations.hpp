// activations.hpp: the nonlinear functions of neural networks, with PyTorch's defaults.
#pragma once

#include "frontend/tensor.hpp"

namespace hyperion::nn {

Tensor relu(Operand x);
Tensor leaky_relu(Operand x, double slope = 0.01);
Tensor elu(Operand x, double alpha = 1);
Tensor sigmoid(Operand x);
Tensor silu(Operand x);  // x * sigmoid(x)
// x * Phi(x) with the normal distribution function; `approximate` is the tanh form.
Tensor gelu(Operand x, bool approximate = false);
// log(1 + exp(beta x)) / beta; x itself where beta x > threshold.
Tensor softplus(Operand x, double beta = 1, double threshold = 20);
Tensor softmax(Operand x, int axis = -1);
Tensor log_softmax(Operand x, int axis = -1);
Tensor log_sigmoid(Operand x);

// The same as layers without parameters, for Sequential.
struct Relu {
  Tensor operator()(Operand x) const { return relu(x); }
};
struct Gelu {
  bool approximate = false;
  Tensor operator()(Operand x) const { return gelu(x, approximate); }
};
struct Silu {
  Tensor operator()(Operand x) const { return silu(x); }
};
struct Sigmoid {
  Tensor operator()(Operand x) const { return sigmoid(x); }
};
struct Tanh {
  Tensor operator()(Operand x) const;
};
struct Identity {
  Tensor operator()(Operand x) const { return x.tensor(); }
};

}  // namespace hyperion::nn

// Learns XOR with a network of two inputs, four hidden neurons and one output. Exits with 0 when it
// did.
#include <cstdio>

#include "playground/micrograd/micrograd.hpp"

int main() {
  using micrograd::Mlp;
  using micrograd::Value;
  struct Example {
    double a, b, a_xor_b;
  };
  const Example examples[] = {{-1, -1, -1}, {-1, 1, 1}, {1, -1, 1}, {1, 1, -1}};

  Mlp network({2, 4, 1});
  for (int step = 0; step <= 100; ++step) {
    Value loss = 0;
    for (const Example& example : examples) {
      loss += pow(network({example.a, example.b})[0] - example.a_xor_b, 2);
    }
    loss.backward();
    network.step(0.1);
    if (step % 25 == 0) std::printf("step %4d  loss %.5f\n", step, loss.data());
  }

  bool learned = true;
  for (const Example& example : examples) {
    const double answer = network({example.a, example.b})[0].data();
    std::printf("%+g xor %+g = %+.2f\n", example.a, example.b, answer);
    learned = learned && answer * example.a_xor_b > 0.5;  // the right sign, and sure of it
  }
  std::puts(learned ? "XOR learned" : "XOR not learned");
  return learned ? 0 : 1;
}

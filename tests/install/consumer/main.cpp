// What a stranger's first program looks like. Exits with 0 when the numbers are right.
#include <cstdio>

#include "frontend/hyperion.hpp"

int main() {
  using namespace hyperion;
  const Tensor x = tensor({1.0, 2.0, 3.0});
  const auto slope = grad([](const Tensor& t) { return sum(t * t + t); });
  const std::vector<float> values = slope(x).to_vector<float>();
  std::printf("d/dx sum(x * x + x) = %g %g %g\n", values[0], values[1], values[2]);
  return values == std::vector<float>{3, 5, 7} ? 0 : 1;
}

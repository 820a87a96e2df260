#include "tests/benchmark/suites/suites.hpp"

namespace hyperion::benchmark {

Tensor noise(Shape shape, std::uint64_t seed) {
  Tensor x = random::uniform(random::key(seed), std::move(shape), -1, 1);
  x.eval();
  return x;
}

std::vector<float> host(const Tensor& x) { return x.to_vector<float>(); }

}  // namespace hyperion::benchmark

// op_sampler.hpp: what the generators of op_samples.cpp are written with. Only for op_samples*.cpp.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "ir/attributes.hpp"
#include "tests/support/op_samples.hpp"

namespace hyperion::testing_support {

// SplitMix64: small, seedable, and the same everywhere, which std::uniform_int_distribution is not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits();
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(bound));
  }
  std::int64_t between(std::int64_t low, std::int64_t high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(bits() >> 11) * 0x1p-53;
  }
  template <class T>
  const T& pick(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(below(std::ssize(list)))];
  }

 private:
  std::uint64_t state_;
};

struct Application {
  std::vector<LiteralPtr> operands;
  ir::Attributes attributes;
  std::shared_ptr<const ir::Module> module;
};

class Sampler {
 public:
  Random& random;
  DType dtype;
  Values values;

  // A size from 0 to 5, rarely 0 and rarely larger.
  Dim size(bool may_be_empty = true);
  ir::Dims shape(int min_rank, int max_rank, bool may_be_empty = true);
  Type type(int min_rank, int max_rank, bool may_be_empty = true) {
    return Type(dtype, shape(min_rank, max_rank, may_be_empty));
  }

  // Data of the sample's values, in [low, high] where ordinary or smooth.
  LiteralPtr data(Type type, double low = -2, double high = 2) {
    return random_literal(type, values, random.bits(), low, high);
  }
  // Whole numbers in [low, high], whatever `values` says.
  LiteralPtr integers(Type type, std::int64_t low, std::int64_t high);
  LiteralPtr predicate(const ir::Dims& shape);

  ir::Integers permutation(int rank);
  ir::Integers some_axes(int rank, bool at_least_one = false);  // increasing
  ir::Integers each(int count, std::int64_t low, std::int64_t high);
};

using Generator = std::function<std::optional<Application>(Sampler&)>;
using Generators = std::map<std::string_view, Generator>;

void add_tensor_generators(
    Generators& generators);  // views, indexed, reductions, contractions, sources
void add_model_generators(Generators& generators);  // composites
void add_control_generators(Generators& generators);

}  // namespace hyperion::testing_support

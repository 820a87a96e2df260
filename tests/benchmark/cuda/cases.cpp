#include "tests/benchmark/cuda/cases.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace hyperion::benchmark {

std::string_view clock_name(Clock clock) {
  switch (clock) {
    case Clock::device:
      return "device";
    case Clock::wall:
      return "wall";
    case Clock::once:
      return "once";
  }
  std::unreachable();
}

std::string Case::key() const { return suite + "\t" + name + "\t" + shape + "\t" + dtype; }

double Case::figure(double seconds) const {
  if (unit == "us") return seconds * 1e6;
  if (unit == "ms") return seconds * 1e3;
  return work / seconds * 1e-12;
}

HostElement host_elements(std::vector<Input> inputs) {
  return [inputs = std::move(inputs)](int number, std::int64_t index) {
    return noise_element(inputs[static_cast<std::size_t>(number)], number, index);
  };
}

double rounding(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return 0x1p-6;  // four roundings of 2^-8
    case DType::f16:
      return 0x1p-9;
    default:
      return 1e-5;
  }
}

std::int64_t Scale::operator()(std::int64_t extent) const {
  // Small enough for a test, and yet no two indices that could be mixed up are the only ones.
  constexpr std::int64_t kLeast = 5;
  return divisor == 1 ? extent : std::max(kLeast, extent / divisor);
}

std::vector<Case> all_cases(Scale scale) {
  std::vector<Case> all;
  for (std::vector<Case> (*cases)(Scale) : {machine_cases, memory_cases, row_cases, gemm_cases, convolution_cases, training_cases, latency_cases,
                                        lesson_cases}) {
    std::ranges::move(cases(scale), std::back_inserter(all));
  }
  return all;
}

}  // namespace hyperion::benchmark

#include "tests/benchmark/cuda/noise.hpp"

#include <array>
#include <cmath>

#include "frontend/hyperion.hpp"
#include "ir/literal.hpp"

namespace hyperion::benchmark {
namespace {

constexpr std::uint32_t kInputStep = 0x9E3779B9;  // 2^32 over the golden ratio: inputs start far apart
constexpr float kMeanOfSum = 510;                 // of four bytes
constexpr float kScale = 1 / 147.8f;              // by their deviation
// Chris Wellons' lowbias32: multiplications and shifts found by search.
constexpr std::uint32_t kFirstFactor = 0x7feb352d, kSecondFactor = 0x846ca68b;

std::uint32_t hash(std::uint32_t x) {
  x ^= x >> 16;
  x *= kFirstFactor;
  x ^= x >> 15;
  x *= kSecondFactor;
  return x ^ (x >> 16);
}

}  // namespace

std::int64_t Input::size() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

double Input::bytes() const { return static_cast<double>(size()) * static_cast<double>(byte_size(dtype)); }

std::uint32_t noise_start(int number, std::int64_t offset) {
  return static_cast<std::uint32_t>(offset) + static_cast<std::uint32_t>(number) * kInputStep;
}

double noise_element(const Input& input, int number, std::int64_t index) {
  const std::uint32_t h = hash(noise_start(number, index));
  if (input.noise == Noise::index) return h % static_cast<std::uint32_t>(input.limit);
  const std::uint32_t sum = (h & 255) + ((h >> 8) & 255) + ((h >> 16) & 255) + (h >> 24);
  float value = (static_cast<float>(sum) - kMeanOfSum) * kScale;
  if (input.noise == Noise::positive) value = std::fabs(value);
  std::array<std::byte, 8> bytes{};
  element_from_double(input.dtype, value, bytes.data());
  return element_to_double(input.dtype, bytes.data());
}

Tensor noise_program(const Input& input, const Tensor& start, std::int64_t count) {
  Tensor x = arange(count, DType::u32) + start;
  x = (x ^ (x >> 16)) * static_cast<std::int64_t>(kFirstFactor);
  x = (x ^ (x >> 15)) * static_cast<std::int64_t>(kSecondFactor);
  x = x ^ (x >> 16);
  if (input.noise == Noise::index) return (x % input.limit).to(input.dtype);
  const Tensor sum = (x & 255) + ((x >> 8) & 255) + ((x >> 16) & 255) + (x >> 24);
  const Tensor value = (sum.to(DType::f32) - kMeanOfSum) * kScale;
  return (input.noise == Noise::positive ? abs(value) : value).to(input.dtype);
}

}  // namespace hyperion::benchmark

// noise.hpp: random inputs that the GPU makes for itself, and of which the host knows every element.
//
// An element is a hash of its place, so gigabytes need not travel, and whoever checks a result on the
// host computes just the elements that it needs. Element i of input number k is made of
// h = hash(i + k * 0x9E3779B9), all in 32 bits:
//
//   normal    the sum of the four bytes of h, shifted and scaled to mean 0 and deviation 1
//   positive  the absolute value of that
//   index     h modulo `limit`
#pragma once

#include <cstdint>

#include "frontend/tensor.hpp"

namespace hyperion::benchmark {

enum class Noise : std::uint8_t { normal, positive, index };

struct Input {
  Shape shape;
  DType dtype = DType::f32;
  Noise noise = Noise::normal;
  std::int64_t limit = 0;  // of an index

  std::int64_t size() const;
  double bytes() const;
};

// An element as the GPU has it, rounded to the dtype.
double noise_element(const Input& input, int number, std::int64_t index);

// What `i` of the first element of input `number` is, at `offset` elements from its start.
std::uint32_t noise_start(int number, std::int64_t offset);

// The elements from start (u32, one element) on, as a program.
Tensor noise_program(const Input& input, const Tensor& start, std::int64_t count);

}  // namespace hyperion::benchmark

// digits.hpp: a generated data set in MNIST's format, so that everything can be learned, shown and
// tested offline.
//
// An image is a pen drawing: one of several ways to write the digit (strokes through a few points),
// each point moved a little, then slanted, turned, stretched, bent by a smooth random field, drawn
// with a pen whose width and pressure vary, fitted into 20 x 20 pixels about the centre of a 28 x
// 28 image, and given a little noise. Ink is 255 on 0, as in MNIST.
//
// About as hard as MNIST. Test accuracy on images 60,000 to 69,999 of seed 0 after training on the
// first 60,000 (the same models on MNIST in brackets): linear, 3 epochs of Adam, 90.0 % (92.4);
// 784-512-10 with ReLU, 5 epochs of SGD with momentum, 98.5 % (98.1); a small CNN of 21,000
// parameters, 3 epochs of Adam, 98.7 %.
//
// Deterministic: image i depends on (seed, i) alone, uses only integer arithmetic and the IEEE
// operations + - * / and square root, and is the same on every platform and for any number of
// threads. Thread safety: all functions.
#pragma once

#include <cstdint>

#include "frontend/data/host_array.hpp"

namespace hyperion::data {

inline constexpr std::int64_t kDigitSide = 28;

struct LabelledImages {
  HostArray images;  // u8[count, 28, 28]
  HostArray labels;  // u8[count], each 0 to 9
};

// Images first, first + 1, ... of the endless sequence that `seed` names. `threads` = 0 takes one a
// core. REQUIRES: count >= 0, first >= 0.
LabelledImages generate_digits(std::int64_t count, std::uint64_t seed, std::int64_t first = 0,
                               int threads = 0);

}  // namespace hyperion::data

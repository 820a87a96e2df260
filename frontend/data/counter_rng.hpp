// counter_rng.hpp: random numbers for data, the same on every machine.
//
// The n-th number of a stream is a hash of (key, n) (the SplitMix64 finaliser over a Weyl
// sequence), so a stream needs no state but its position, can be entered anywhere, and different
// keys give independent streams. The standard library's distributions are avoided because each
// implementation draws differently. Not for tensors: those use Threefry, and not for secrets.
#pragma once

#include <cstdint>

namespace hyperion::data {

// A bijection of 64 bits in which every input bit reaches every output bit.
constexpr std::uint64_t mix_bits(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

// A key for the sub-stream `part` of `key`: one image of a data set, one epoch of a shuffle.
constexpr std::uint64_t derive_key(std::uint64_t key, std::uint64_t part) {
  return mix_bits(mix_bits(key + 0x9e3779b97f4a7c15ull) ^ part);
}

class CounterRng {
 public:
  explicit constexpr CounterRng(std::uint64_t key) : key_(mix_bits(key)) {}

  constexpr std::uint64_t next() { return mix_bits(key_ + 0x9e3779b97f4a7c15ull * ++position_); }

  // Uniform in [0, bound), without bias. REQUIRES: bound > 0.
  constexpr std::uint64_t below(std::uint64_t bound) {
    // Numbers under `threshold` would make the first (2^64 mod bound) results likelier; draw again.
    const std::uint64_t threshold = (0 - bound) % bound;
    std::uint64_t bits = next();
    while (bits < threshold) bits = next();
    return bits % bound;
  }

  // Uniform in [0, 1), a multiple of 2^-24, so exact in float.
  constexpr float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24f; }
  constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }

  // Bell-shaped, mean 0, standard deviation 1, never beyond ±3.47: four uniform numbers added.
  // Bounded tails and exact arithmetic are worth more here than a true normal.
  constexpr float bell() {
    const float sum = uniform() + uniform() + uniform() + uniform();
    return (sum - 2.0f) * 1.7320508f;
  }

 private:
  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

}  // namespace hyperion::data

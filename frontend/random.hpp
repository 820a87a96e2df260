// random.hpp: random tensors as a function of a key. The same key gives the same bits on every machine and device.
//
// A Key is a value without hidden state: drawing twice with one key gives the same numbers twice. Get new keys from an
// old one with split or fold_in; do not draw from a key that was split. Bits are Threefry-2x32 with 20 rounds.
//
//   auto [weights_key, data_key] = random::split<2>(random::key(42));
//   Tensor w = random::normal(weights_key, {784, 128});
//   Tensor mask = random::bernoulli(random::fold_in(data_key, step), 0.5, {128});   // step may be a tensor
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "frontend/tensor.hpp"

namespace hyperion::random {

using Where = std::source_location;

// A tree of one tensor, so keys travel through jit and checkpoints like parameters.
struct Key {
  Tensor bits;  // u32[2]
};
Key key(std::uint64_t seed, Where where = Where::current());

std::vector<Key> split(const Key& key, int count, Where where = Where::current());
template <int N>
std::array<Key, N> split(const Key& key, Where where = Where::current());
// The key for part `data` of what `key` stands for: a step, a layer. Integers, as a number or a scalar tensor.
Key fold_in(const Key& key, Operand data);

// In [low, high). The finest step is 2^-24 (f32) of the range; f64 uses 53 bits.
Tensor uniform(const Key& key, Shape shape, double low = 0, double high = 1, DType dtype = DType::f32,
               Where where = Where::current());
// By inversion of the normal distribution, from 23 bits (f32; values within ±5.3) or 52 (f64).
Tensor normal(const Key& key, Shape shape, double mean = 0, double deviation = 1, DType dtype = DType::f32,
              Where where = Where::current());
// Normal, conditioned on [low, high], which are in units of the result.
Tensor truncated_normal(const Key& key, Shape shape, double mean, double deviation, double low, double high,
                        DType dtype = DType::f32, Where where = Where::current());
// True with probability p.
Tensor bernoulli(const Key& key, double p, Shape shape, Where where = Where::current());
// Whole numbers in [low, high), uniform up to 2^-64 of the range.
Tensor randint(const Key& key, std::int64_t low, std::int64_t high, Shape shape, DType dtype = DType::i64,
               Where where = Where::current());
// 0 ... size-1 in random order (i64), by a keyed bijection: a Feistel network of eight rounds.
Tensor permutation(const Key& key, std::int64_t size, Where where = Where::current());
// Raw bits, u32 or u64.
Tensor bits(const Key& key, Shape shape, DType dtype = DType::u32, Where where = Where::current());

}  // namespace hyperion::random

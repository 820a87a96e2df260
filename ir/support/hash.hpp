// hash.hpp: one 128-bit content hash for cache keys, constants and structural equality (XXH3, seed 0).
//
// Not cryptographic: caches that could be written by others are checked by checksum *and* trust, not by hash.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace hyperion {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend auto operator<=>(const Hash128&, const Hash128&) = default;
  std::string hex() const;  // 32 lower-case digits
};

Hash128 hash_bytes(std::span<const std::byte> bytes);
Hash128 hash_text(std::string_view text);

// Mixes `value` into `seed`; good enough for hash tables, not for content addressing.
inline std::uint64_t hash_combine(std::uint64_t seed, std::uint64_t value) {
  std::uint64_t x = seed ^ (value + 0x9e3779b97f4a7c15ull + (seed << 6) + (seed >> 2));
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ull;
  x ^= x >> 32;
  return x;
}

}  // namespace hyperion

template <>
struct std::hash<hyperion::Hash128> {
  std::size_t operator()(const hyperion::Hash128& hash) const noexcept { return hash.low; }
};

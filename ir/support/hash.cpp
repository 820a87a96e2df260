#include "ir/support/hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "ir/support/format.hpp"

namespace hyperion {

std::string Hash128::hex() const { return format("{:016x}{:016x}", high, low); }

Hash128 hash_bytes(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

Hash128 hash_text(std::string_view text) { return hash_bytes(std::as_bytes(std::span(text))); }

}  // namespace hyperion

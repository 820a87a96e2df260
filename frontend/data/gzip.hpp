// gzip.hpp: decompression with a bound on the output, so that a small file cannot ask for all
// memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "ir/support/status.hpp"

namespace hyperion::data {

bool is_gzip(std::span<const std::byte> bytes);

struct Decompressed {
  std::vector<std::byte> bytes;  // at most the limit
  bool complete = false;         // false: the limit was reached first, so more may follow
};

// Decompresses until the end of the stream (all members of it) or until `limit` bytes are out.
// Checksums are verified when the end is reached. A truncated or damaged stream is an error that
// says at which byte it broke.
StatusOr<Decompressed> decompress_gzip(std::span<const std::byte> bytes, std::size_t limit,
                                       const std::string& name);

}  // namespace hyperion::data

// gzip.hpp: makes compressed input for tests; the library itself only decompresses.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <span>
#include <vector>

namespace hyperion::testing_support {

inline std::vector<std::byte> gzip(std::span<const std::byte> bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);  // +16: gzip framing
  std::vector<std::byte> output(deflateBound(&stream, bytes.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(output.data());
  stream.avail_out = static_cast<uInt>(output.size());
  deflate(&stream, Z_FINISH);
  output.resize(stream.total_out);
  deflateEnd(&stream);
  return output;
}

}  // namespace hyperion::testing_support

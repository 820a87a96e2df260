#include "frontend/data/idx.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

#include "frontend/data/gzip.hpp"
#include "ir/support/file.hpp"
#include "ir/support/format.hpp"

namespace hyperion::data {
namespace {

struct IdxType {
  std::uint8_t code;
  DType dtype;
};
constexpr IdxType kTypes[] = {{0x08, DType::u8},  {0x09, DType::i8},  {0x0b, DType::i16},
                              {0x0c, DType::i32}, {0x0d, DType::f32}, {0x0e, DType::f64}};

constexpr std::size_t kMaxHeaderBytes = 4 + 4 * 255;  // rank is one byte

struct Header {
  DType dtype = DType::u8;
  std::vector<std::int64_t> dims;
  std::size_t header_bytes = 0;
  std::size_t payload_bytes = 0;
};

std::unexpected<Status> bad_file(const std::string& name, std::string message) {
  return error_status(Code::data_loss, std::move(message), name,
                      "this is no IDX file, or a damaged one: fetch it again");
}

std::uint32_t big_endian_u32(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (std::byte byte : bytes.first(4)) value = value << 8 | std::to_integer<std::uint32_t>(byte);
  return value;
}

// Whichever side of the copy is big-endian, reversing each element turns it into the other.
void reverse_elements(std::span<std::byte> bytes, std::size_t width) {
  if (width == 1) return;
  for (std::size_t i = 0; i < bytes.size(); i += width) {
    std::ranges::reverse(bytes.subspan(i, width));
  }
}

// Sets payload_bytes. nullopt: the product does not fit in 63 bits.
std::optional<std::size_t> checked_payload(const Header& header) {
  std::uint64_t bytes = byte_size(header.dtype);
  // A zero dimension makes the product 0, but the others must not overflow before it is reached.
  if (std::ranges::find(header.dims, 0) != header.dims.end()) return 0;
  for (std::int64_t dim : header.dims) {
    if (bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / dim)) {
      return std::nullopt;
    }
    bytes *= static_cast<std::uint64_t>(dim);
  }
  return bytes;
}

StatusOr<Header> parse_header(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.size() < 4) {
    return bad_file(name, format("expected a 4-byte magic number, found {} bytes", bytes.size()));
  }
  const std::uint32_t magic = big_endian_u32(bytes);
  const auto* type = std::ranges::find(kTypes, magic >> 8, &IdxType::code);
  if (type == std::end(kTypes)) {
    return bad_file(name, format("wrong magic number: expected 00 00 TYPE RANK with TYPE one of 08 "
                                 "09 0b 0c 0d 0e, found {:02x} {:02x} {:02x} {:02x}",
                                 magic >> 24, magic >> 16 & 0xff, magic >> 8 & 0xff, magic & 0xff));
  }
  Header header{type->dtype, {}, 4 + 4 * (magic & 0xff), 0};
  if (bytes.size() < header.header_bytes) {
    return bad_file(name, format("expected a header of {} bytes for rank {}, found {} bytes",
                                 header.header_bytes, magic & 0xff, bytes.size()));
  }
  for (std::size_t at = 4; at < header.header_bytes; at += 4) {
    header.dims.push_back(big_endian_u32(bytes.subspan(at)));
  }
  const std::optional<std::size_t> payload = checked_payload(header);
  if (!payload) {
    return bad_file(name, format("dimensions {} overflow", fmt::join(header.dims, " x ")));
  }
  header.payload_bytes = *payload;
  return header;
}

std::string promise(const Header& header) {
  return format("the header promises {} elements of {} ({} bytes)", fmt::join(header.dims, " x "),
                dtype_name(header.dtype), header.payload_bytes);
}

// REQUIRES: `bytes` starts with the header that was parsed from it.
StatusOr<HostArray> take_payload(const Header& header, std::span<const std::byte> bytes,
                                 const std::string& name) {
  const std::size_t found = bytes.size() - header.header_bytes;
  if (found < header.payload_bytes) {
    return error_status(Code::data_loss, format("{}, found {} bytes", promise(header), found), name,
                        "the file is truncated: fetch it again");
  }
  if (found > header.payload_bytes) {
    return bad_file(name, format("{}, but more bytes follow", promise(header)));
  }
  const auto payload = bytes.subspan(header.header_bytes);
  HostArray array{header.dtype, header.dims, {payload.begin(), payload.end()}};
  static_assert(std::endian::native == std::endian::little, "HostArray is little-endian");
  reverse_elements(array.bytes, byte_size(array.dtype));
  return array;
}

}  // namespace

StatusOr<HostArray> parse_idx(std::span<const std::byte> bytes, const std::string& name) {
  if (!is_gzip(bytes)) {
    HYP_TRY(const Header header, parse_header(bytes, name));
    return take_payload(header, bytes, name);
  }
  // The header alone first: it bounds what the rest may decompress to. One byte more shows that
  // something follows.
  HYP_TRY(const Decompressed start, decompress_gzip(bytes, kMaxHeaderBytes, name));
  HYP_TRY(const Header header, parse_header(start.bytes, name));
  HYP_TRY(const Decompressed all,
          decompress_gzip(bytes, header.header_bytes + header.payload_bytes + 1, name));
  return take_payload(header, all.bytes, name);
}

StatusOr<HostArray> read_idx(const std::string& path) {
  HYP_TRY(const MappedFile file, MappedFile::open(path));
  return parse_idx(file.bytes(), path);
}

std::vector<std::byte> idx_bytes(const HostArray& array) {
  const auto* type = std::ranges::find(kTypes, array.dtype, &IdxType::dtype);
  HYP_CHECK(type != std::end(kTypes), "this dtype has no IDX type");
  HYP_CHECK(array.rank() <= 255, "IDX stores the rank in one byte");
  std::vector<std::byte> bytes;
  bytes.reserve(4 + 4 * array.dims.size() + array.bytes.size());
  const auto append_u32 = [&bytes](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(std::byte(value >> shift & 0xff));
  };
  append_u32(std::uint32_t{type->code} << 8 | static_cast<std::uint32_t>(array.rank()));
  for (std::int64_t dim : array.dims) {
    HYP_CHECK(dim <= std::numeric_limits<std::uint32_t>::max(), "IDX dimensions have 32 bits");
    append_u32(static_cast<std::uint32_t>(dim));
  }
  const std::size_t header_bytes = bytes.size();
  bytes.insert(bytes.end(), array.bytes.begin(), array.bytes.end());
  reverse_elements(std::span(bytes).subspan(header_bytes), byte_size(array.dtype));
  return bytes;
}

}  // namespace hyperion::data

// idx.hpp: the IDX format, in which MNIST and its relatives are published.
//
//   file := 0x00 0x00 type:u8 rank:u8  dimension:u32be{rank}  element{product of the dimensions}
//
// `type` is 0x08 u8, 0x09 i8, 0x0b i16, 0x0c i32, 0x0d f32, 0x0e f64; elements are big-endian and
// row-major, so MNIST's magic numbers 2051 and 2049 are "u8, rank 3" and "u8, rank 1". A file that
// starts with gzip's magic is decompressed, whatever its name.
//
// Nothing in a file is trusted: the elements must end exactly where the file ends, and memory grows
// with the data that is really there, not with what the header promises. Every failure names the
// file, what was expected and what was found. Thread safety: all functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "frontend/data/host_array.hpp"
#include "ir/support/status.hpp"

namespace hyperion::data {

// Reads plain or gzip-compressed IDX.
StatusOr<HostArray> read_idx(const std::string& path);

// As read_idx, from memory; `name` stands for the path in errors.
StatusOr<HostArray> parse_idx(std::span<const std::byte> bytes, const std::string& name);

// The uncompressed file for `array`. REQUIRES: its dtype has an IDX type, its rank is at most 255,
// and every dimension fits in 32 bits.
std::vector<std::byte> idx_bytes(const HostArray& array);

}  // namespace hyperion::data

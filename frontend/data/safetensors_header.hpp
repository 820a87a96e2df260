// safetensors_header.hpp: the JSON at the front of a safetensors file, parsed strictly and written
// exactly.
//
//   header   := '{' [ entry (',' entry)* ] '}' space*
//   entry    := "__metadata__" ':' { string : string, ... }   |   name ':' tensor
//   tensor   := { "dtype": string, "shape": [int, ...], "data_offsets": [begin, end] }     keys in
//   any order
//
// A parser of our own, because the format is narrower than JSON and its abuses are exactly what a
// general parser lets through: duplicate keys, negative or fractional sizes, unknown fields,
// garbage after the end. Nesting is fixed by the grammar, so no input can make the parser recurse.
//
// A parsed header is valid (check_layout): the tensors tile the data exactly, without holes or
// overlaps, and every size is what dtype and shape say. Thread safety: all functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/dtype.hpp"
#include "ir/support/status.hpp"

namespace hyperion::data {

// Larger headers are refused, by the format's own rule: a forged size must not allocate memory.
inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

struct SafetensorsEntry {
  std::string name;
  std::string dtype_text;      // as in the file: "F32", "F8_E4M3", ...
  std::optional<DType> dtype;  // absent when Hyperion has no such type
  std::vector<std::int64_t> dims;
  std::uint64_t begin = 0;  // bytes within the data that follows the header
  std::uint64_t end = 0;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of their data
  SafetensorsMetadata metadata;
};

// `data_bytes` is how much data follows the header in the file; `name` stands for the path in
// errors.
StatusOr<SafetensorsHeader> parse_safetensors_header(std::string_view json,
                                                     std::uint64_t data_bytes,
                                                     const std::string& name);

// The inverse, padded with spaces so that 8 + the result is a multiple of 64: the data is then
// aligned in a mapped file. Entries are written in the order given.
std::string write_safetensors_header(const SafetensorsHeader& header);

// "F32" for f32; nothing for a dtype that safetensors does not have (c128).
std::optional<std::string_view> safetensors_dtype(DType dtype);

}  // namespace hyperion::data

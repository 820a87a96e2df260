// safetensors.hpp: named arrays in one file, the native checkpoint format.
//
//   file := header_bytes:u64le  header[header_bytes]  data
//
// The header is JSON (safetensors_header.hpp); data is little-endian and row-major. The format is
// shared with other frameworks, so their files load here and ours load there.
//
// Reading maps the file and checks the whole header first; tensor data is touched only when asked
// for. Nothing in the file is trusted. Saving is atomic: whoever reads, at whatever moment the
// writer was killed, finds the old checkpoint or the new one.
//
// Two names for one storage (tied weights) are saved once; the second name becomes an alias in the
// metadata
// ("alias:<name>" = "<saved name>"), and either name reads it.
//
// Thread safety: a SafetensorsFile may be read by many threads at once.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "frontend/data/host_array.hpp"
#include "frontend/data/safetensors_header.hpp"
#include "ir/support/file.hpp"

namespace hyperion::data {

class SafetensorsFile {
 public:
  static StatusOr<SafetensorsFile> open(const std::string& path);

  std::span<const SafetensorsEntry> entries() const { return header_.entries; }
  const SafetensorsMetadata& metadata() const { return header_.metadata; }

  // By name or alias; nullptr when the file has none such.
  const SafetensorsEntry* find(std::string_view name) const;

  // The entry's bytes where they are mapped, valid while this object lives. For any dtype.
  std::span<const std::byte> raw_bytes(const SafetensorsEntry& entry) const;

  // A copy. Fails for an unknown name and for a dtype that Hyperion does not have.
  StatusOr<HostArray> read(std::string_view name) const;

 private:
  SafetensorsFile(std::string path, MappedFile file, SafetensorsHeader header,
                  std::size_t data_offset);

  std::string path_;
  MappedFile file_;
  SafetensorsHeader header_;
  std::size_t data_offset_;
};

// What to save. REQUIRES: `bytes` holds the dimensions' elements and stays valid during the call.
struct NamedBytes {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> dims;
  std::span<const std::byte> bytes;
};

// Writes the tensors in the order given, atomically. Fails for two tensors of one name, the name
// "__metadata__", and a dtype that the format does not have.
StatusOr<> save_safetensors(const std::string& path, std::span<const NamedBytes> tensors,
                            const SafetensorsMetadata& metadata = {});

}  // namespace hyperion::data

// file.hpp: whole files in, whole files out, and never half a file in between.
//
// Atomic write: the bytes go to a temporary file in the same folder, are synced to disk, and take
// the final name by rename; then the folder is synced. A reader, or a process killed at any moment,
// sees the old file or the new one. A kill may leave a `<name>.tmp.<process>.<number>` behind,
// which nothing reads.
//
// Every failure is a Status with the path, what the system said, and what to do. Thread safety: all
// functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "ir/support/status.hpp"

namespace hyperion {

bool file_exists(const std::string& path);

// The contents of a regular file. Fails with not_found, permission_denied or unavailable.
StatusOr<std::vector<std::byte>> read_file(const std::string& path);

// Writes the concatenation of `parts`, so that a header and large payloads need not be copied
// together first.
StatusOr<> write_file_atomically(const std::string& path,
                                 std::span<const std::span<const std::byte>> parts);
StatusOr<> write_file_atomically(const std::string& path, std::span<const std::byte> bytes);

// A read-only view of a file; pages are read when touched. The file must not shrink while it is
// mapped: files written by write_file_atomically never do, because a new version is a new file.
class MappedFile {
 public:
  static StatusOr<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

}  // namespace hyperion

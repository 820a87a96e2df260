#include "ir/support/file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "ir/support/format.hpp"

namespace hyperion {
namespace {

std::unexpected<Status> system_error(const char* action, const std::string& path, int error) {
  const std::string reason = std::generic_category().message(error);
  switch (error) {
    case ENOENT:
      return error_status(Code::not_found, format("cannot {}: {}", action, reason), path,
                          "check the path");
    case EACCES:
    case EPERM:
    case EROFS:
      return error_status(Code::permission_denied, format("cannot {}: {}", action, reason), path,
                          "check the permissions of the file and its folder");
    case ENOSPC:
    case EDQUOT:
      return error_status(Code::resource_exhausted, format("cannot {}: {}", action, reason), path,
                          "free some space on this disk");
    default:
      return error_status(Code::unavailable, format("cannot {}: {}", action, reason), path);
  }
}

// Owns a descriptor; close errors matter only after writing, where close_now() reports them.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int close_now() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

// Refuses folders and devices: reading those "works" in surprising ways.
StatusOr<std::size_t> regular_file_size(const Descriptor& file, const std::string& path) {
  if (!file.valid()) return system_error("open", path, errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return system_error("inspect", path, errno);
  if (!S_ISREG(info.st_mode)) {
    return error_status(Code::invalid_argument,
                        S_ISDIR(info.st_mode) ? "is a folder, not a file" : "is not a regular file",
                        path);
  }
  return static_cast<std::size_t>(info.st_size);
}

StatusOr<> write_all(const Descriptor& file, std::span<const std::byte> bytes,
                     const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error("write", path, errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

StatusOr<> write_and_sync(const std::string& path,
                          std::span<const std::span<const std::byte>> parts) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.valid()) return system_error("create", path, errno);
  for (std::span<const std::byte> part : parts) {
    HYP_TRY_VOID(write_all(file, part, path));
  }
  if (::fsync(file.get()) != 0) return system_error("sync", path, errno);
  if (file.close_now() != 0) return system_error("close", path, errno);
  return {};
}

// Makes the rename itself durable: without it, a power cut may bring the old name back.
StatusOr<> sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.valid()) return system_error("open", folder, errno);
  // Some network file systems cannot sync a folder and say EINVAL; the rename is all they offer.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL) {
    return system_error("sync", folder, errno);
  }
  return {};
}

}  // namespace

bool file_exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

StatusOr<std::vector<std::byte>> read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  HYP_TRY(const std::size_t size, regular_file_size(file, path));
  std::vector<std::byte> bytes(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(file.get(), bytes.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("read", path, errno);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

StatusOr<> write_file_atomically(const std::string& path,
                                 std::span<const std::span<const std::byte>> parts) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary =
      format("{}.tmp.{}.{}", path, ::getpid(), counter.fetch_add(1, std::memory_order_relaxed));
  auto written = write_and_sync(temporary, parts);
  if (written && std::rename(temporary.c_str(), path.c_str()) != 0) {
    written = system_error("rename the finished file to", path, errno);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_folder_of(path);
}

StatusOr<> write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
  return write_file_atomically(path, std::span(&bytes, 1));
}

StatusOr<MappedFile> MappedFile::open(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  HYP_TRY(const std::size_t size, regular_file_size(file, path));
  if (size == 0) return MappedFile({});  // mmap refuses an empty range
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) return system_error("map", path, errno);
  return MappedFile({static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace hyperion

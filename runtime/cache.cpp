#include "runtime/cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "runtime/cache_folder.hpp"

namespace hyperion::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::array<char, 8> kMagic = {'H', 'Y', 'P', 'C', 'A', 'C', 'H', 'E'};
constexpr std::uint32_t kFormat = 1;
constexpr std::string_view kSuffix = ".hypc";

// Temporary files this old belong to a process that died while writing.
constexpr std::int64_t kAbandonedSeconds = 3600;

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t format = kFormat;
  std::uint32_t zero = 0;
  Hash128 key;
  Hash128 producer;
  std::uint64_t length = 0;
  Hash128 hash;  // of the payload
};
static_assert(sizeof(Header) == 72);

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  const int value_;
};

bool read_all(int file, void* to, std::size_t bytes) {
  auto* at = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const ssize_t count = ::read(file, at, bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    at += count;
    bytes -= static_cast<std::size_t>(count);
  }
  return true;
}

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Calls `visit(path, name, stat)` for each regular file; files that vanish meanwhile are skipped.
template <class Visit>
void for_each_file(const std::string& folder, Visit visit) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    struct stat info = {};
    if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    visit(path, it->path().filename().string(), info);
  }
}

}  // namespace

DiskCache::DiskCache(CacheOptions options)
    : options_(std::move(options)), producer_(hash_text(options_.producer)) {
  if (options_.folder.empty()) options_.folder = default_cache_folder();
  disabled_because_ = unusable_cache_folder(options_.folder);
  if (!disabled_because_.empty()) {
    HYP_LOG("runtime", warn, format("no compile cache: {}", disabled_because_));
  }
}

std::string DiskCache::path_of(const Hash128& key) const {
  return format("{}/{}{}", options_.folder, key.hex(), kSuffix);
}

std::optional<std::vector<std::byte>> DiskCache::get(const Hash128& key) {
  if (!disabled_because_.empty()) return std::nullopt;
  std::vector<std::byte> payload;
  const Outcome outcome = read(key, payload);
  std::lock_guard lock(mutex_);
  std::uint64_t* const counters[] = {&statistics_.hits,    &statistics_.absent,
                                     &statistics_.torn,    &statistics_.corrupt,
                                     &statistics_.foreign, &statistics_.stale};
  ++*counters[static_cast<std::size_t>(outcome)];
  constexpr const char* kNames[] = {"hit", "absent", "torn", "corrupt", "foreign", "stale"};
  HYP_LOG("runtime", debug,
          format("compile cache: {} is {}", key.hex(), kNames[static_cast<std::size_t>(outcome)]));
  if (outcome != Outcome::hit) return std::nullopt;
  return payload;
}

DiskCache::Outcome DiskCache::read(const Hash128& key, std::vector<std::byte>& payload) const {
  const Descriptor file(open(path_of(key).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return errno == ENOENT ? Outcome::absent : Outcome::foreign;
  struct stat info = {};
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid()) {
    return Outcome::foreign;
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  Header header;
  if (size < sizeof(Header) || !read_all(file.get(), &header, sizeof(Header))) return Outcome::torn;
  if (header.magic != kMagic) return Outcome::foreign;
  if (header.format != kFormat) return Outcome::stale;
  if (header.zero != 0) return Outcome::corrupt;
  if (header.key != key) return Outcome::foreign;
  if (header.producer != producer_) return Outcome::stale;
  if (header.length != size - sizeof(Header)) return Outcome::torn;
  payload.resize(header.length);
  if (!read_all(file.get(), payload.data(), payload.size())) return Outcome::torn;
  if (hash_bytes(payload) != header.hash) return Outcome::corrupt;
  futimens(file.get(), nullptr);  // used now; a failure only makes eviction less exact
  return Outcome::hit;
}

void DiskCache::put(const Hash128& key, std::span<const std::byte> payload) {
  const std::uint64_t bytes = sizeof(Header) + payload.size();
  if (!disabled_because_.empty() || bytes > options_.max_bytes) return;
  Header header;
  header.key = key;
  header.producer = producer_;
  header.length = payload.size();
  header.hash = hash_bytes(payload);
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(&header, 1)), payload};
  const StatusOr<> written = write_file_atomically(path_of(key), parts);
  std::lock_guard lock(mutex_);
  if (!written) {
    ++statistics_.failed_writes;
    if (!std::exchange(warned_, true)) HYP_LOG("runtime", warn, written.error().text());
    return;
  }
  ++statistics_.writes;
  written_since_scan_ += bytes;
  // Looking at every entry is slow in a full folder, so it is done once at first and then after
  // each sixteenth of the limit; the folder may outgrow its limit by that much for each process
  // that shares it.
  if (scanned_ && written_since_scan_ < options_.max_bytes / 16) return;
  scanned_ = true;
  written_since_scan_ = 0;
  evict();
}

void DiskCache::evict() {
  for_each_file(
      options_.folder, [](const std::string& path, const std::string& name, const auto& info) {
        const bool temporary = name.find(std::string(kSuffix) + ".tmp.") != std::string::npos;
        if (temporary && info.st_mtime < now_seconds() - kAbandonedSeconds) unlink(path.c_str());
      });
  std::uint64_t total = 0;
  for (const CacheEntry& entry : list()) {
    total += entry.bytes;
    if (total > options_.max_bytes && unlink(entry.path.c_str()) == 0) ++statistics_.evictions;
  }
}

std::vector<CacheEntry> DiskCache::list() const {
  struct Dated {
    CacheEntry entry;
    std::int64_t nanoseconds;
  };
  std::vector<Dated> found;
  if (disabled_because_.empty()) {
    for_each_file(
        options_.folder, [&](const std::string& path, const std::string& name, const auto& info) {
          if (!name.ends_with(kSuffix)) return;
          found.push_back({{path, static_cast<std::uint64_t>(info.st_size), info.st_mtim.tv_sec},
                           info.st_mtim.tv_nsec});
        });
  }
  std::ranges::sort(found, [](const Dated& a, const Dated& b) {
    return std::tie(b.entry.last_used, b.nanoseconds, a.entry.path) <
           std::tie(a.entry.last_used, a.nanoseconds, b.entry.path);
  });
  std::vector<CacheEntry> entries;
  for (Dated& each : found) entries.push_back(std::move(each.entry));
  return entries;
}

std::size_t DiskCache::clear() {
  std::size_t removed = 0;
  for (const CacheEntry& entry : list()) removed += unlink(entry.path.c_str()) == 0;
  return removed;
}

CacheStatistics& CacheStatistics::operator+=(const CacheStatistics& other) {
  hits += other.hits;
  absent += other.absent;
  torn += other.torn;
  corrupt += other.corrupt;
  foreign += other.foreign;
  stale += other.stale;
  writes += other.writes;
  failed_writes += other.failed_writes;
  evictions += other.evictions;
  return *this;
}

CacheStatistics DiskCache::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace hyperion::runtime

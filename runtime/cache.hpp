// cache.hpp: compiled modules on disk, found by the hash of what they were compiled from.
//
//   <folder>/<32 hexadecimal digits of the key>.hypc
//
//   entry := magic[8] "HYPCACHE"  format:u32  zero:u32  key:u8[16]  producer:u8[16]  length:u64
//   hash:u8[16]  payload
//
// An entry is used only if all of that agrees with what was asked for. Anything else is a miss,
// counted by its reason, and the next put() replaces it: torn (shorter or longer than it says),
// corrupt (wrong checksum), foreign (not an entry, another key, or not a file of this user), stale
// (written by another `producer`: compiler build, LLVM version). The checksum finds damage, not
// attack, and payloads contain code, so the folder must belong to this user and be writable by
// nobody else; otherwise the cache stays off.
//
// The cache never makes anything fail. When the folder cannot be used, one warning is logged and
// every get() is a miss.
//
// Entries are written to a temporary file and renamed, so processes may share a folder without
// locks: readers see whole entries, and the last of several writers of one key wins. get() marks an
// entry as used (its modification time); when the folder outgrows its limit, the entries unused for
// longest go.
//
// Thread safety: all functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/support/hash.hpp"
#include "ir/support/status.hpp"

namespace hyperion::runtime {

struct CacheOptions {
  std::string folder;    // empty: default_cache_folder()
  std::string producer;  // entries of other producers are stale
  std::uint64_t max_bytes = std::uint64_t{1} << 30;
};

struct CacheStatistics {
  std::uint64_t hits = 0;
  std::uint64_t absent = 0;  // misses, by reason
  std::uint64_t torn = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t foreign = 0;
  std::uint64_t stale = 0;
  std::uint64_t writes = 0;
  std::uint64_t failed_writes = 0;
  std::uint64_t evictions = 0;

  std::uint64_t misses() const { return absent + torn + corrupt + foreign + stale; }
  CacheStatistics& operator+=(const CacheStatistics& other);
};

struct CacheEntry {
  std::string path;
  std::uint64_t bytes = 0;
  std::int64_t last_used = 0;  // seconds since 1970
};

// $HYPERION_CACHE_DIR, else $XDG_CACHE_HOME/hyperion, else ~/.cache/hyperion; empty when none of
// them is known.
std::string default_cache_folder();

class DiskCache {
 public:
  explicit DiskCache(CacheOptions options);

  // Why the cache is off; empty when it works.
  const std::string& disabled_because() const { return disabled_because_; }
  const std::string& folder() const { return options_.folder; }

  std::optional<std::vector<std::byte>> get(const Hash128& key);
  void put(const Hash128& key, std::span<const std::byte> payload);

  std::vector<CacheEntry> list() const;  // most recently used first
  // Removes all entries, of every producer; returns how many.
  std::size_t clear();
  CacheStatistics statistics() const;

 private:
  enum class Outcome { hit, absent, torn, corrupt, foreign, stale };
  std::string path_of(const Hash128& key) const;
  Outcome read(const Hash128& key, std::vector<std::byte>& payload) const;
  void evict();

  CacheOptions options_;
  Hash128 producer_;
  std::string disabled_because_;

  mutable std::mutex mutex_;  // guards what follows
  CacheStatistics statistics_;
  std::uint64_t written_since_scan_ = 0;
  bool scanned_ = false;
  bool warned_ = false;
};

}  // namespace hyperion::runtime

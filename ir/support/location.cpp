#include "ir/support/location.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "ir/support/format.hpp"
#include "ir/support/hash.hpp"
#include "ir/support/quote.hpp"

namespace hyperion {
namespace {

struct Entry {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::vector<std::uint32_t> parts;  // of a fused location; empty otherwise
};

struct Table {
  std::shared_mutex mutex;
  std::deque<Entry> entries{Entry{}};  // entry 0 is "unknown"
  std::map<std::tuple<std::string, std::uint32_t, std::uint32_t>, std::uint32_t> files;
  std::map<std::vector<std::uint32_t>, std::uint32_t> fusions;
};

Table& table() {
  static Table* instance = new Table;
  return *instance;
}

const Entry& entry(std::uint32_t id) {
  std::shared_lock lock(table().mutex);
  return table().entries[id];
}

const Entry& first_entry(std::uint32_t id) {
  const Entry& found = entry(id);
  return found.parts.empty() ? found : entry(found.parts.front());
}

std::string quoted(const Entry& place) {
  return format("{}:{}:{}", hyperion::quoted(place.file), place.line, place.column);
}

}  // namespace

Location Location::file(std::string_view file, std::uint32_t line, std::uint32_t column) {
  Table& t = table();
  std::unique_lock lock(t.mutex);
  auto [it, inserted] = t.files.try_emplace({std::string(file), line, column}, t.entries.size());
  if (inserted) t.entries.push_back({std::string(file), line, column, {}});
  return Location(it->second);
}

Location Location::from(const std::source_location& place) {
  // Recording an op costs well under a microsecond, so the common case must not lock or compare strings.
  struct Key {
    const char* file;
    std::uint64_t position;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return hash_combine(reinterpret_cast<std::uintptr_t>(key.file), key.position);
    }
  };
  thread_local std::unordered_map<Key, Location, KeyHash> cache;
  const Key key{place.file_name(), (std::uint64_t{place.line()} << 32) | place.column()};
  auto [it, inserted] = cache.try_emplace(key);
  if (inserted) it->second = file(place.file_name(), place.line(), place.column());
  return it->second;
}

Location Location::fused(std::span<const Location> parts) {
  std::vector<std::uint32_t> flat;
  for (Location part : parts) {
    if (!part.known()) continue;
    const Entry& found = entry(part.id_);
    const std::vector<std::uint32_t> own{part.id_};
    for (std::uint32_t id : found.parts.empty() ? own : found.parts) {
      if (std::ranges::find(flat, id) == flat.end()) flat.push_back(id);
    }
  }
  if (flat.empty()) return {};
  if (flat.size() == 1) return Location(flat.front());
  Table& t = table();
  std::unique_lock lock(t.mutex);
  auto [it, inserted] = t.fusions.try_emplace(flat, t.entries.size());
  if (inserted) t.entries.push_back({{}, 0, 0, std::move(flat)});
  return Location(it->second);
}

std::string Location::text() const {
  if (!known()) return "unknown";
  const Entry& place = entry(id_);
  if (place.parts.empty()) return quoted(place);
  std::string text = "fused[";
  for (std::size_t i = 0; i < place.parts.size(); ++i) {
    if (i != 0) text += ", ";
    text += quoted(entry(place.parts[i]));
  }
  return text + "]";
}

std::string Location::first() const {
  if (!known()) return "<unknown>";
  const Entry& place = first_entry(id_);
  return format("{}:{}:{}", place.file, place.line, place.column);
}

std::string_view Location::file_name() const { return first_entry(id_).file; }
std::uint32_t Location::line() const { return first_entry(id_).line; }
std::uint32_t Location::column() const { return first_entry(id_).column; }

}  // namespace hyperion

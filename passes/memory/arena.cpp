#include "passes/memory/arena.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

namespace hyperion::passes {
namespace {

std::uint64_t aligned(std::uint64_t bytes) { return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; }

bool overlap(const Lifetime& a, const Lifetime& b) { return a.begin <= b.end && b.begin <= a.end; }

ArenaLayout place_in_order(std::span<const Lifetime> values, std::span<const std::size_t> order) {
  ArenaLayout layout;
  layout.offsets.assign(values.size(), 0);
  std::vector<std::size_t> placed;  // by increasing offset
  for (std::size_t index : order) {
    const std::uint64_t size = aligned(values[index].bytes);
    std::uint64_t offset = 0;
    for (std::size_t other : placed) {
      if (!overlap(values[index], values[other])) continue;
      if (offset + size <= layout.offsets[other]) break;
      offset = std::max(offset, layout.offsets[other] + aligned(values[other].bytes));
    }
    layout.offsets[index] = offset;
    layout.bytes = std::max(layout.bytes, offset + size);
    const auto position = std::ranges::upper_bound(placed, offset, {}, [&](std::size_t i) { return layout.offsets[i]; });
    placed.insert(position, index);
  }
  return layout;
}

std::uint64_t most_alive(std::span<const Lifetime> values) {
  std::map<std::int64_t, std::int64_t> change;
  for (const Lifetime& value : values) {
    change[value.begin] += static_cast<std::int64_t>(aligned(value.bytes));
    change[value.end + 1] -= static_cast<std::int64_t>(aligned(value.bytes));
  }
  std::int64_t alive = 0, most = 0;
  for (const auto& [time, delta] : change) most = std::max(most, alive += delta);
  return static_cast<std::uint64_t>(most);
}

// Memory as an allocator would hand it out while the program runs: the lowest gap that is large enough.
ArenaLayout place_in_time(std::span<const Lifetime> values) {
  ArenaLayout layout;
  layout.offsets.assign(values.size(), 0);
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return values[i].begin; });
  std::multimap<std::int64_t, std::size_t> alive;  // by end
  std::map<std::uint64_t, std::uint64_t> gaps;     // offset, size; no two adjacent, none at the end of the arena
  std::uint64_t end = 0;                           // of what is in use
  const auto free = [&](std::size_t index) {
    std::uint64_t offset = layout.offsets[index], size = aligned(values[index].bytes);
    auto next = gaps.lower_bound(offset);
    if (next != gaps.end() && next->first == offset + size) {
      size += next->second;
      next = gaps.erase(next);
    }
    if (next != gaps.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        offset = before->first;
        size += before->second;
        gaps.erase(before);
      }
    }
    if (offset + size == end) end = offset;
    else gaps.emplace(offset, size);
  };
  for (std::size_t index : order) {
    if (values[index].bytes == 0) continue;  // anywhere
    while (!alive.empty() && alive.begin()->first < values[index].begin) {
      free(alive.begin()->second);
      alive.erase(alive.begin());
    }
    const std::uint64_t size = aligned(values[index].bytes);
    const auto gap = std::ranges::find_if(gaps, [&](const auto& g) { return g.second >= size; });
    if (gap == gaps.end()) {
      layout.offsets[index] = end;
      end += size;
    } else {
      layout.offsets[index] = gap->first;
      if (gap->second > size) gaps.emplace_hint(std::next(gap), gap->first + size, gap->second - size);
      gaps.erase(gap);
    }
    layout.bytes = std::max(layout.bytes, layout.offsets[index] + size);
    alive.emplace(values[index].end, index);
  }
  return layout;
}

}  // namespace

ArenaLayout plan_arena(std::span<const Lifetime> values) {
  if (values.size() > kCarefulValues) {
    ArenaLayout layout = place_in_time(values);
    layout.lower_bound = most_alive(values);
    return layout;
  }
  using Measure = std::function<std::uint64_t(const Lifetime&)>;
  const auto duration = [](const Lifetime& v) { return static_cast<std::uint64_t>(v.end - v.begin + 1); };
  const Measure measures[] = {[](const Lifetime& v) { return v.bytes; }, duration,
                              [&](const Lifetime& v) { return v.bytes * duration(v); }};
  ArenaLayout best;
  for (const Measure& measure : measures) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return measure(values[i]); });
    ArenaLayout layout = place_in_order(values, order);
    if (best.offsets.empty() || layout.bytes < best.bytes) best = std::move(layout);
  }
  best.lower_bound = most_alive(values);
  return best;
}

}  // namespace hyperion::passes

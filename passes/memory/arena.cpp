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

}  // namespace

ArenaLayout plan_arena(std::span<const Lifetime> values) {
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

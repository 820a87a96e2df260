#include "runtime/profiler.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <ranges>
#include <utility>

#include "ir/support/format.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace hyperion::runtime {
namespace {

std::uint64_t clock_nanoseconds() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

#if defined(__x86_64__)
// CPUID 8000'0007h, EDX bit 8: the counter's rate depends neither on the clock frequency nor on
// sleep states.
bool has_constant_counter() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
}
const bool g_constant_counter = has_constant_counter();
#endif

Ticks read_ticks() {
#if defined(__x86_64__)
  if (g_constant_counter) return __rdtsc();
#endif
  return clock_nanoseconds();
}

// Both clocks at one moment. The thread may be descheduled between two readings, so the closest of
// some pairs counts.
struct ClockPair {
  Ticks ticks = 0;
  std::uint64_t nanoseconds = 0;
};
ClockPair read_clocks() {
  ClockPair best;
  Ticks smallest = ~Ticks{0};
  for (int i = 0; i < 16; ++i) {
    const Ticks before = read_ticks();
    const std::uint64_t nanoseconds = clock_nanoseconds();
    const Ticks gap = read_ticks() - before;
    if (gap < smallest) {
      smallest = gap;
      best = {before + gap / 2, nanoseconds};
    }
  }
  return best;
}
const ClockPair g_start = read_clocks();

// The error of a pair is well below a microsecond, so after 20 ms that of the rate is below one
// part in 10^4.
double calibrate() {
  constexpr std::uint64_t kEnough = 20'000'000;
  while (clock_nanoseconds() - g_start.nanoseconds < kEnough) {
  }
  const ClockPair now = read_clocks();
  return 1e-9 * static_cast<double>(now.nanoseconds - g_start.nanoseconds) /
         static_cast<double>(now.ticks - g_start.ticks);
}

// Tracks that are no threads: more than any process has threads.
constexpr std::uint32_t kFirstNamedTrack = std::uint32_t{1} << 24;

std::uint32_t thread_number() {
  static std::atomic<std::uint32_t> count{0};
  thread_local const std::uint32_t number = count.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

Ticks now_ticks() { return read_ticks(); }

double seconds_per_tick() {
  static const double rate = calibrate();
  return rate;
}

std::string LabelInfo::title() const {
  return location.empty() ? name : format("{} at {}", name, location);
}

Profiler::Profiler(std::size_t capacity)
    : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 1)) - 1),
      ring_(std::make_unique<RingSlot[]>(mask_ + 1)) {}

ProfileLabel& Profiler::label(const LabelInfo& info) {
  std::lock_guard lock(mutex_);
  std::unique_ptr<ProfileLabel>& label = labels_[info];
  if (label == nullptr) label = std::make_unique<ProfileLabel>(info);
  return *label;
}

Profiler::Span Profiler::span(std::string_view name, std::string_view category) {
  return Span(*this, label({.name = std::string(name), .category = std::string(category)}));
}

std::uint32_t Profiler::add_track(const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(tracks_, name);
  const auto index = static_cast<std::uint32_t>(found - tracks_.begin());
  if (found == tracks_.end()) tracks_.push_back(name);
  return kFirstNamedTrack + index;
}

void Profiler::record(ProfileLabel& label, Ticks start, Ticks end) noexcept {
  record(label, start, end, thread_number());
}

// The fields are stored with release and loaded with acquire: who sees a new field also sees the
// odd sequence before it.
void Profiler::record(ProfileLabel& label, Ticks start, Ticks end, std::uint32_t track) noexcept {
  label.count_.fetch_add(1, std::memory_order_relaxed);
  label.ticks_.fetch_add(end - start, std::memory_order_relaxed);
  const std::uint64_t index = head_.fetch_add(1, std::memory_order_relaxed);
  RingSlot& slot = ring_[index & mask_];
  slot.sequence.store(2 * index + 1, std::memory_order_relaxed);
  slot.label.store(&label, std::memory_order_release);
  slot.start.store(start, std::memory_order_release);
  slot.end.store(end, std::memory_order_release);
  slot.track.store(track, std::memory_order_release);
  slot.sequence.store(2 * index + 2, std::memory_order_release);
  if (is_capturing()) [[unlikely]] {
    std::lock_guard lock(mutex_);
    if (capture_.records.size() < max_records_) {
      capture_.records.push_back({&label, start, end, track});
    } else {
      ++capture_.dropped;
    }
  }
}

std::vector<ProfileRecord> Profiler::recent() const {
  std::vector<ProfileRecord> records;
  const std::uint64_t head = head_.load(std::memory_order_acquire);
  const std::uint64_t oldest = head > mask_ + 1 ? head - (mask_ + 1) : 0;
  for (std::uint64_t i = std::max(oldest, tail_.load(std::memory_order_relaxed)); i < head; ++i) {
    const RingSlot& slot = ring_[i & mask_];
    if (slot.sequence.load(std::memory_order_acquire) != 2 * i + 2) continue;
    const ProfileRecord record{
        slot.label.load(std::memory_order_acquire), slot.start.load(std::memory_order_acquire),
        slot.end.load(std::memory_order_acquire), slot.track.load(std::memory_order_acquire)};
    if (slot.sequence.load(std::memory_order_relaxed) == 2 * i + 2) records.push_back(record);
  }
  return records;
}

void Profiler::start_capture(std::size_t max_records) {
  std::lock_guard lock(mutex_);
  capture_ = {};
  capture_.records.reserve(std::min<std::size_t>(max_records, 1 << 16));
  max_records_ = max_records;
  capturing_.store(true, std::memory_order_relaxed);
}

Capture Profiler::stop_capture() {
  std::lock_guard lock(mutex_);
  capturing_.store(false, std::memory_order_relaxed);
  max_records_ = 0;
  for (std::uint32_t i = 0; i < tracks_.size(); ++i) {
    capture_.tracks[kFirstNamedTrack + i] = tracks_[i];
  }
  return std::exchange(capture_, {});
}

std::vector<LabelTotal> Profiler::totals() const {
  std::vector<LabelTotal> totals;
  const double scale = seconds_per_tick();
  {
    std::lock_guard lock(mutex_);
    for (const auto& [info, label] : labels_) {
      const std::uint64_t count = label->count_.load(std::memory_order_relaxed);
      if (count == 0) continue;
      const auto ticks = static_cast<double>(label->ticks_.load(std::memory_order_relaxed));
      totals.push_back({info, count, ticks * scale});
    }
  }
  std::ranges::sort(totals, [](const LabelTotal& a, const LabelTotal& b) {
    return std::tie(b.seconds, a.label) < std::tie(a.seconds, b.label);
  });
  return totals;
}

double Profiler::category_seconds(std::string_view category) const {
  double seconds = 0;
  for (const LabelTotal& total : totals()) {
    if (total.label.category == category) seconds += total.seconds;
  }
  return seconds;
}

void Profiler::reset() {
  std::lock_guard lock(mutex_);
  for (const auto& [info, label] : labels_) {
    label->count_.store(0, std::memory_order_relaxed);
    label->ticks_.store(0, std::memory_order_relaxed);
  }
  tail_.store(head_.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

}  // namespace hyperion::runtime

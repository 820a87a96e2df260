// profiler.hpp: where the time went, always on.
//
// Every kernel launch and every span (recording, compiling, executing) is one record: what, when,
// on which track. A thread is a track; so is a device that works beside the host, whose records
// somebody else writes once their times are known. It costs a few tens of nanoseconds: two readings
// of the cycle counter, an addition to the totals of its label, and one slot of a ring. No locks,
// no allocation.
//
//   totals   per label, since the start or reset(): the source of summaries (runtime/roofline.hpp)
//   ring     the last records, for reports of what just happened
//   capture  every record between start_capture() and stop_capture(), up to a bound; what did not
//   fit is counted. The
//            source of traces (runtime/trace_writer.hpp). Only while capturing, a record takes a
//            lock.
//
// A label is made once (label()) and then used by reference; it lives as long as the profiler.
// Spans are also NVTX ranges (runtime/nvtx.hpp), for NVIDIA's tools.
// Thread safety: all functions.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "runtime/nvtx.hpp"
#include "runtime/plan.hpp"

namespace hyperion::runtime {

// The cycle counter where it runs at a constant rate, else nanoseconds. Only differences mean
// something.
using Ticks = std::uint64_t;
Ticks now_ticks();
double seconds_per_tick();

struct LabelInfo {
  std::string name;         // "fused_mul_add_gelu", "compile"
  std::string category;     // "launch", "run", "compile", "record"
  std::string location;     // "train.cpp:41:12", may be empty
  std::uint64_t flops = 0;  // of one record; 0: unknown
  std::uint64_t bytes = 0;
  ArithmeticUnit unit = ArithmeticUnit::vector;

  std::string title() const;  // "fused_mul_add_gelu at train.cpp:41:12"
  friend auto operator<=>(const LabelInfo&, const LabelInfo&) = default;
};

class ProfileLabel {
 public:
  explicit ProfileLabel(LabelInfo info) : info_(std::move(info)), title_(info_.title()) {}
  const LabelInfo& info() const { return info_; }
  const std::string& title() const { return title_; }

 private:
  friend class Profiler;
  const LabelInfo info_;
  const std::string title_;
  std::atomic<std::uint64_t> count_{0};
  std::atomic<Ticks> ticks_{0};
};

struct ProfileRecord {
  const ProfileLabel* label = nullptr;
  Ticks start = 0;
  Ticks end = 0;
  std::uint32_t track = 0;  // a thread, in the order threads were first seen, or of add_track()
};

struct Capture {
  std::vector<ProfileRecord> records;
  std::uint64_t dropped = 0;
  std::map<std::uint32_t, std::string> tracks = {};  // names of those that are no threads
};

struct LabelTotal {
  LabelInfo label;
  std::uint64_t count = 0;
  double seconds = 0;
};

class Profiler {
 public:
  // `capacity` of the ring is rounded up to a power of two.
  explicit Profiler(std::size_t capacity = std::size_t{1} << 16);
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // Equal infos give the same label.
  ProfileLabel& label(const LabelInfo& info);

  // A track beside the threads: "cuda:0". Equal names give the same track.
  std::uint32_t add_track(const std::string& name);

  void record(ProfileLabel& label, Ticks start, Ticks end) noexcept;  // on the caller's track
  void record(ProfileLabel& label, Ticks start, Ticks end, std::uint32_t track) noexcept;

  // Records the time from its construction to its destruction.
  class Span {
   public:
    Span(Profiler& profiler, ProfileLabel& label)
        : profiler_(profiler), label_(label), range_(label.title().c_str()), start_(now_ticks()) {}
    ~Span() { profiler_.record(label_, start_, now_ticks()); }
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

   private:
    Profiler& profiler_;
    ProfileLabel& label_;
    const NvtxRange range_;
    const Ticks start_;
  };
  [[nodiscard]] Span span(ProfileLabel& label) { return Span(*this, label); }
  [[nodiscard]] Span span(std::string_view name, std::string_view category);

  std::vector<ProfileRecord> recent() const;  // oldest first
  void start_capture(std::size_t max_records = std::size_t{4} << 20);
  Capture stop_capture();
  bool is_capturing() const { return capturing_.load(std::memory_order_relaxed); }

  // Labels that were recorded, longest total first.
  std::vector<LabelTotal> totals() const;
  // Of all labels of a category, in seconds. Spans of one category should not nest.
  double category_seconds(std::string_view category) const;
  void reset();  // totals and ring

 private:
  // A sequence lock for each slot: odd while being written, and naming the record that it holds.
  struct RingSlot {
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<const ProfileLabel*> label{nullptr};
    std::atomic<Ticks> start{0};
    std::atomic<Ticks> end{0};
    std::atomic<std::uint32_t> track{0};
  };

  const std::size_t mask_;
  const std::unique_ptr<RingSlot[]> ring_;
  std::atomic<std::uint64_t> head_{0};
  std::atomic<std::uint64_t> tail_{0};  // records before it were reset
  std::atomic<bool> capturing_{false};

  mutable std::mutex mutex_;  // guards what follows
  std::map<LabelInfo, std::unique_ptr<ProfileLabel>> labels_;
  std::vector<std::string> tracks_;
  Capture capture_;
  std::size_t max_records_ = 0;
};

}  // namespace hyperion::runtime

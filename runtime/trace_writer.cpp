// Bottom-up: the protobuf wire format, the messages we need, the trace.
//
// Field numbers are those of protos/perfetto/trace/{trace_packet,interned_data/interned_data}.proto
// and protos/perfetto/trace/track_event/{track_event,track_descriptor,debug_annotation}.proto.
#include "runtime/trace_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"

namespace hyperion::runtime {
namespace {

// A message under construction. On the wire a field is a key, number << 3 | type, and a value: a
// varint (type 0), eight bytes (type 1), or a length and bytes (type 2).
class Message {
 public:
  Message& number(std::uint32_t field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  Message& real(std::uint32_t field, double value) {
    varint(field << 3 | 1);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof value);
    return *this;
  }
  Message& text(std::uint32_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(std::uint32_t field, const Message& value) { return text(field, value.bytes_); }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(bytes_)); }

 private:
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_ += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// All packets come from one writer, whose interned names stay valid to the end.
constexpr std::uint32_t kSequence = 1;
constexpr std::uint64_t kStateCleared = 1;
constexpr std::uint64_t kNeedsState = 2;
constexpr std::uint64_t kSliceBegin = 1;
constexpr std::uint64_t kSliceEnd = 2;

class TraceWriter {
 public:
  TraceWriter(const Capture& capture, const Ceilings& ceilings)
      : records_(capture.records),
        track_names_(capture.tracks),
        ceilings_(ceilings),
        scale_(seconds_per_tick() * 1e9) {
    for (const ProfileRecord& record : records_) {
      origin_ = std::min(origin_, record.start);
      intern(names_, record.label->title());
      intern(categories_, record.label->info().category);
    }
    // Begin order on each track; of two that begin together the longer one encloses the other.
    std::ranges::sort(records_, [](const ProfileRecord& a, const ProfileRecord& b) {
      return std::tie(a.track, a.start, b.end, a.label->info()) <
             std::tie(b.track, b.start, a.end, b.label->info());
    });
  }

  std::vector<std::byte> write() {
    write_process();
    write_interned();
    for (std::size_t i = 0; i < records_.size(); ++i) {
      const ProfileRecord& record = records_[i];
      if (i == 0 || track_ != id_of(record.track)) {
        close_until(~Ticks{0});
        write_track(record.track);
      }
      close_until(record.start);
      write_begin(record);
      // Slices that overlap without nesting cannot be shown on one track: the inner one ends with
      // the outer.
      open_.push_back(open_.empty() ? record.end : std::min(record.end, open_.back()));
    }
    close_until(~Ticks{0});
    const std::span<const std::byte> bytes = trace_.bytes();
    return {bytes.begin(), bytes.end()};
  }

 private:
  using Interned = std::map<std::string, std::uint64_t, std::less<>>;

  static void intern(Interned& table, const std::string& text) {
    table.emplace(text, table.size() + 1);
  }
  static std::uint64_t process_track() { return 1; }
  static std::uint64_t id_of(std::uint32_t track) { return 2 + std::uint64_t{track}; }

  std::uint64_t nanoseconds(Ticks ticks) const {
    return static_cast<std::uint64_t>(std::llround(static_cast<double>(ticks - origin_) * scale_));
  }
  void packet(const Message& content) { trace_.message(1, content); }

  // Ends the open slices that are over at `when`.
  void close_until(Ticks when) {
    while (!open_.empty() && open_.back() <= when) {
      write_end(open_.back());
      open_.pop_back();
    }
  }

  void write_process() {
    Message process, track, content;
    process.number(1, static_cast<std::uint64_t>(getpid())).text(6, "hyperion");
    track.number(1, process_track()).text(2, "hyperion").message(3, process);
    packet(content.message(60, track));
  }

  void write_track(std::uint32_t number) {
    track_ = id_of(number);
    const auto named = track_names_.find(number);
    Message track, content;
    track.number(1, track_)
        .text(2, named == track_names_.end() ? format("thread {}", number) : named->second)
        .number(5, process_track());
    packet(content.message(60, track));
  }

  void write_interned() {
    Message interned, content;
    const auto add = [&](std::uint32_t field, const Interned& table) {
      for (const auto& [text, id] : table) {
        Message entry;
        interned.message(field, entry.number(1, id).text(2, text));
      }
    };
    add(1, categories_);
    add(2, names_);
    packet(content.number(10, kSequence).number(13, kStateCleared).message(12, interned));
  }

  void write_event(Ticks when, const Message& event) {
    Message content;
    packet(content.number(8, nanoseconds(when))
               .number(10, kSequence)
               .number(13, kNeedsState)
               .message(11, event));
  }

  void write_begin(const ProfileRecord& record) {
    const LabelInfo& info = record.label->info();
    Message event;
    event.number(9, kSliceBegin)
        .number(11, track_)
        .number(10, names_.at(record.label->title()))
        .number(3, categories_.at(info.category));
    if (!info.location.empty()) annotate(event, "location", info.location);
    if (info.bytes != 0) annotate(event, "bytes", info.bytes);
    if (info.flops != 0) annotate(event, "flops", info.flops);
    const double seconds = static_cast<double>(record.end - record.start) * scale_ * 1e-9;
    const Achieved speed = achieved(info, seconds, ceilings_);
    annotate(event, "GB/s", speed.bytes_per_second, 1e-9);
    annotate(event, "GFLOP/s", speed.flops_per_second, 1e-9);
    annotate(event, "% of copy", speed.share_of_copy, 100);
    annotate(event, format("% of {}", unit_name(info.unit)), speed.share_of_unit, 100);
    write_event(record.start, event);
  }

  static void annotate(Message& event, std::string_view name, const std::string& value) {
    event.message(4, Message().text(10, name).text(6, value));
  }
  static void annotate(Message& event, std::string_view name, std::uint64_t value) {
    event.message(4, Message().text(10, name).number(3, value));
  }
  static void annotate(Message& event, std::string_view name, std::optional<double> value,
                       double scale) {
    if (value) event.message(4, Message().text(10, name).real(5, *value * scale));
  }

  void write_end(Ticks end) {
    Message event;
    event.number(9, kSliceEnd).number(11, track_);
    write_event(end, event);
  }

  std::vector<ProfileRecord> records_;
  const std::map<std::uint32_t, std::string>& track_names_;
  const Ceilings& ceilings_;
  const double scale_;
  Ticks origin_ = ~Ticks{0};
  Interned names_;
  Interned categories_;
  std::uint64_t track_ = 0;  // being written
  std::vector<Ticks> open_;  // ends of the slices around the place being written, outermost first
  Message trace_;
};

}  // namespace

std::vector<std::byte> perfetto_trace(const Capture& capture, const Ceilings& ceilings) {
  return TraceWriter(capture, ceilings).write();
}

StatusOr<> write_perfetto_trace(const std::string& path, const Capture& capture,
                                const Ceilings& ceilings) {
  return write_file_atomically(path, perfetto_trace(capture, ceilings));
}

}  // namespace hyperion::runtime

#include "runtime/profiler.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <thread>

#include "runtime/trace_writer.hpp"

namespace hyperion::runtime {
namespace {

TEST(Profiler, TotalsCountAndAdd) {
  Profiler profiler;
  ProfileLabel& gemm = profiler.label({"gemm", "launch", "a.cpp:1:2", 1000, 64});
  ProfileLabel& other = profiler.label({.name = "other", .category = "run"});
  EXPECT_EQ(&gemm, &profiler.label({"gemm", "launch", "a.cpp:1:2", 1000, 64}));
  EXPECT_NE(&gemm, &profiler.label({"gemm", "launch", "a.cpp:9:2", 1000, 64}));
  for (int i = 0; i < 10; ++i) profiler.record(gemm, 100, 300);
  profiler.record(other, 0, 1);
  const std::vector<LabelTotal> totals = profiler.totals();
  ASSERT_EQ(totals.size(), 2u);
  EXPECT_EQ(totals[0].label.name, "gemm");
  EXPECT_EQ(totals[0].count, 10u);
  const double scale = totals[0].seconds / 2000;
  EXPECT_GT(scale, 1e-11);  // between 0.1 and 100 GHz
  EXPECT_LT(scale, 1e-8);
  EXPECT_DOUBLE_EQ(profiler.category_seconds("run"), totals[1].seconds);
  profiler.reset();
  EXPECT_TRUE(profiler.totals().empty());
  EXPECT_TRUE(profiler.recent().empty());
}

TEST(Profiler, TicksMeasureTime) {
  const Ticks start = now_ticks();
  const auto clock = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  const double ticks = static_cast<double>(now_ticks() - start) * seconds_per_tick();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - clock).count();
  EXPECT_GE(ticks, 0.029);
  EXPECT_LE(ticks, seconds * 1.01);
}

TEST(Profiler, RingKeepsTheLast) {
  Profiler profiler(16);
  ProfileLabel& label = profiler.label({.name = "x", .category = "launch"});
  for (Ticks i = 0; i < 100; ++i) profiler.record(label, i, i + 1);
  const std::vector<ProfileRecord> recent = profiler.recent();
  ASSERT_EQ(recent.size(), 16u);
  EXPECT_EQ(recent.front().start, 84u);
  EXPECT_EQ(recent.back().start, 99u);
}

TEST(Profiler, CaptureIsBoundedAndCountsWhatItDrops) {
  Profiler profiler(4);
  ProfileLabel& label = profiler.label({.name = "x", .category = "launch"});
  profiler.record(label, 0, 1);
  profiler.start_capture(10);
  for (Ticks i = 1; i <= 25; ++i) profiler.record(label, i, i + 1);
  const Capture capture = profiler.stop_capture();
  profiler.record(label, 0, 1);
  ASSERT_EQ(capture.records.size(), 10u);
  EXPECT_EQ(capture.records.front().start, 1u);
  EXPECT_EQ(capture.dropped, 15u);
  EXPECT_TRUE(profiler.stop_capture().records.empty());
}

// Readers while writers overrun the ring: what is returned is never torn (end is always start + 7).
TEST(Profiler, ConcurrentRecordsAreNeverTorn) {
  Profiler profiler(64);
  ProfileLabel& label = profiler.label({.name = "x", .category = "launch"});
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([&] {
      for (Ticks i = 0; i < 20000; ++i) profiler.record(label, i, i + 7);
    });
  }
  for (int i = 0; i < 200; ++i) {
    for (const ProfileRecord& record : profiler.recent()) ASSERT_EQ(record.end, record.start + 7);
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(profiler.totals()[0].count, 60000u);
}

TEST(Profiler, TracksBesideTheThreads) {
  Profiler profiler;
  ProfileLabel& label =
      profiler.label({.name = "x", .category = "launch", .location = "a.cpp:1:2"});
  EXPECT_EQ(label.title(), "x at a.cpp:1:2");
  const std::uint32_t gpu = profiler.add_track("cuda:0");
  EXPECT_EQ(profiler.add_track("cuda:0"), gpu);
  EXPECT_NE(profiler.add_track("cuda:1"), gpu);
  EXPECT_FALSE(profiler.is_capturing());
  profiler.start_capture();
  EXPECT_TRUE(profiler.is_capturing());
  profiler.record(label, 1, 2, gpu);
  profiler.record(label, 3, 4);
  const Capture capture = profiler.stop_capture();
  ASSERT_EQ(capture.records.size(), 2u);
  EXPECT_EQ(capture.tracks.at(capture.records[0].track), "cuda:0");
  EXPECT_FALSE(capture.tracks.contains(capture.records[1].track));
  EXPECT_EQ(profiler.recent().front().track, gpu);
}

// ---- The trace, decoded again from its bytes ----

struct Field {
  std::uint64_t key = 0;
  std::uint64_t number = 0;
  double real = 0;
  std::span<const std::byte> bytes;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::optional<Field> next() {
    if (bytes_.empty()) return std::nullopt;
    Field field;
    const std::uint64_t key = varint();
    field.key = key >> 3;
    if ((key & 7) == 0) {
      field.number = varint();
    } else if ((key & 7) == 1) {
      std::memcpy(&field.real, bytes_.data(), sizeof field.real);
      bytes_ = bytes_.subspan(sizeof field.real);
    } else {
      EXPECT_EQ(key & 7, 2u);
      const std::uint64_t size = varint();
      EXPECT_LE(size, bytes_.size());
      field.bytes = bytes_.first(size);
      bytes_ = bytes_.subspan(size);
    }
    return field;
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      EXPECT_FALSE(bytes_.empty());
      const auto each = static_cast<std::uint64_t>(bytes_.front());
      bytes_ = bytes_.subspan(1);
      value |= (each & 0x7f) << shift;
      if (each < 0x80) return value;
    }
  }
  std::span<const std::byte> bytes_;
};

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::map<std::uint64_t, std::vector<Field>> fields(std::span<const std::byte> bytes) {
  std::map<std::uint64_t, std::vector<Field>> result;
  Reader reader(bytes);
  while (const std::optional<Field> field = reader.next()) result[field->key].push_back(*field);
  return result;
}

// Replays the slices of a trace: "thread 0: run(gemm relu)", and after a name what was noted of it.
std::vector<std::string> replay(std::span<const std::byte> trace, bool with_notes = false) {
  std::map<std::uint64_t, std::string> tracks, names, lines;
  std::map<std::uint64_t, int> depth;
  std::map<std::uint64_t, std::uint64_t> last;
  auto packets = fields(trace);
  for (const Field& packet_field : packets[1]) {
    auto packet = fields(packet_field.bytes);
    if (packet.contains(60)) {
      auto track = fields(packet[60][0].bytes);
      tracks[track[1][0].number] = text(track[2][0].bytes);
    } else if (packet.contains(12)) {
      auto interned = fields(packet[12][0].bytes);
      for (const Field& entry : interned[2]) {
        auto name = fields(entry.bytes);
        names[name[1][0].number] = text(name[2][0].bytes);
      }
    } else {
      auto event = fields(packet[11][0].bytes);
      const std::uint64_t track = event[11][0].number, when = packet[8][0].number;
      EXPECT_GE(when, last[track]) << "time runs backwards on a track";
      last[track] = when;
      std::string& line = lines[track];
      if (event[9][0].number == 1) {
        if (!line.empty() && line.back() != '(') line += ' ';
        line += names.at(event[10][0].number);
        for (const Field& note : with_notes ? event[4] : std::vector<Field>{}) {
          auto parts = fields(note.bytes);
          line += " " + text(parts[10][0].bytes) + "=";
          if (parts.contains(3)) line += std::to_string(parts[3][0].number);
          if (parts.contains(5)) line += std::to_string(parts[5][0].real);
          if (parts.contains(6)) line += text(parts[6][0].bytes);
        }
        line += '(';
        ++depth[track];
      } else {
        if (line.back() == '(') {
          line.pop_back();
        } else {
          line += ')';
        }
        --depth[track];
      }
    }
  }
  std::vector<std::string> result;
  for (const auto& [track, line] : lines) {
    EXPECT_EQ(depth[track], 0);
    result.push_back(tracks.at(track) + ": " + line);
  }
  return result;
}

TEST(Trace, SlicesNestAndDecode) {
  Profiler profiler;
  ProfileLabel& run = profiler.label({.name = "run", .category = "run"});
  ProfileLabel& gemm = profiler.label({"gemm", "launch", "mlp.cpp:7:3", 5000, 4096});
  ProfileLabel& relu = profiler.label({.name = "relu", .category = "launch"});
  const Capture capture{{
                            {&gemm, 100, 200, 0},
                            {&relu, 200, 250, 0},
                            {&run, 100, 300, 0},
                            {&relu, 400, 450, 0},
                            {&gemm, 120, 220, 3},
                            {&relu, 150, 260, 3},  // overlaps without nesting
                            {&gemm, 230, 250, 3},
                        },
                        0};
  const std::vector<std::byte> trace = perfetto_trace(capture);
  EXPECT_EQ(replay(trace),
            (std::vector<std::string>{"thread 0: run(gemm at mlp.cpp:7:3 relu) relu",
                                      "thread 3: gemm at mlp.cpp:7:3(relu) gemm at mlp.cpp:7:3"}));
  EXPECT_EQ(replay(perfetto_trace({})).size(), 0u);
}

// A kernel of a GPU: on the device's own track, with counts, speeds and shares of the ceilings.
TEST(Trace, KernelsCarryTheirRoofline) {
  Profiler profiler;
  ProfileLabel& gemm = profiler.label({"gemm", "launch", "mlp.cpp:7:3", 5000, 4000});
  ProfileLabel& step = profiler.label({.name = "step", .category = "run"});
  const std::uint32_t gpu = profiler.add_track("cuda:0");
  profiler.start_capture();
  const auto microsecond = static_cast<Ticks>(1e-6 / seconds_per_tick());
  profiler.record(gemm, 10 * microsecond, 20 * microsecond, gpu);
  profiler.record(step, 5 * microsecond, 30 * microsecond, 0);
  Ceilings ceilings{.device = "cuda:0", .bytes_per_second = 1.6e9};
  ceilings.flops_per_second[0] = 1e9;
  const std::vector<std::string> lines =
      replay(perfetto_trace(profiler.stop_capture(), ceilings), true);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "thread 0: step");
  // 4000 bytes and 5000 operations in 10 us; the tick is not a whole part of a microsecond.
  const std::string& line = lines[1];
  EXPECT_TRUE(
      line.starts_with("cuda:0: gemm at mlp.cpp:7:3 location=mlp.cpp:7:3 bytes=4000 "
                       "flops=5000 GB/s=0.4"))
      << line;
  EXPECT_NE(line.find(" GFLOP/s=0.5"), std::string::npos) << line;
  EXPECT_NE(line.find(" % of copy=25.0"), std::string::npos) << line;
  EXPECT_NE(line.find(" % of fma=50.0"), std::string::npos) << line;
}

TEST(Trace, SpansOfThisProcess) {
  Profiler profiler;
  profiler.start_capture();
  {
    const auto outer = profiler.span("compile", "compile");
    const auto inner = profiler.span("fuse", "pass");
  }
  const std::vector<std::string> lines = replay(perfetto_trace(profiler.stop_capture()));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].ends_with(": compile(fuse)")) << lines[0];
}

}  // namespace
}  // namespace hyperion::runtime

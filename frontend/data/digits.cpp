// Written in the order in which an image is made: points, polylines, placement, pen, noise.

#include "frontend/data/digits.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

#include "frontend/data/counter_rng.hpp"
#include "frontend/data/digit_glyphs.hpp"

namespace hyperion::data {
namespace {

using Polyline = std::vector<Point>;

Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y}; }
Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }
Point operator*(float s, Point a) { return {s * a.x, s * a.y}; }

// How far a writer's points stray from the glyph's, in units of its box (standard deviation).
constexpr float kPointJitter = 0.02f;
// Pieces between two points of a curve: at 20 pixels height a piece is one to two pixels long.
constexpr int kCurvePieces = 6;
constexpr int kLinePieces = 8;
// MNIST's convention: the longer side of the drawing fills 20 of the 28 pixels.
constexpr float kBoxSide = 20.0f;

// The hand's error at one point of the glyph. A function of the point, so that strokes meeting
// there stay joined.
Point jitter(std::uint64_t key, Point point) {
  const auto x = static_cast<std::uint64_t>(point.x * 100.0f + 0.5f);
  const auto y = static_cast<std::uint64_t>(point.y * 100.0f + 0.5f);
  CounterRng rng(derive_key(key, x * 128 + y));
  const float dx = rng.bell();
  const float dy = rng.bell();
  return kPointJitter * Point{dx, dy};
}

// Catmull-Rom: passes through every point, with the tangent at each parallel to the line between
// its neighbours.
Point curve_point(Point before, Point from, Point to, Point after, float t) {
  const Point linear = to - before;
  const Point square = 2.0f * before - 5.0f * from + 4.0f * to - after;
  const Point cube = 3.0f * (from - to) + (after - before);
  return from + 0.5f * t * (linear + t * (square + t * cube));
}

Polyline flatten(const Stroke& stroke, std::uint64_t key) {
  std::vector<Point> points;
  for (Point point : stroke.points) points.push_back(point + jitter(key, point));
  const bool closed = points.front().x == points.back().x && points.front().y == points.back().y;
  Polyline line{points.front()};
  const int pieces = stroke.smooth ? kCurvePieces : kLinePieces;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    // A curve that closes goes on smoothly; an open one ends straight.
    const std::size_t last = points.size() - 1;
    const Point before = i > 0 ? points[i - 1] : closed ? points[last - 1] : points[0];
    const Point after = i + 2 <= last ? points[i + 2] : closed ? points[1] : points[last];
    for (int piece = 1; piece <= pieces; ++piece) {
      const float t = static_cast<float>(piece) / static_cast<float>(pieces);
      line.push_back(stroke.smooth ? curve_point(before, points[i], points[i + 1], after, t)
                                   : points[i] + t * (points[i + 1] - points[i]));
    }
  }
  return line;
}

// A cheap sine of period 1: two parabolas. Exact in IEEE arithmetic, where a library's sine differs
// between machines.
float wave(float t) {
  const float u = 2.0f * (t - std::floor(t)) - 1.0f;
  return 4.0f * u * (1.0f - std::abs(u));
}

// A smooth displacement of the plane: long waves in random directions. MNIST-like elastic
// distortion, applied to the pen's path instead of to pixels, so that strokes bend and keep their
// width.
class ElasticField {
 public:
  explicit ElasticField(CounterRng& rng) {
    for (Wave& w : waves_) {
      w.direction = {rng.uniform(-0.7f, 0.7f), rng.uniform(-0.7f, 0.7f)};
      w.phase = rng.uniform();
      const float dx = rng.bell();
      const float dy = rng.bell();
      w.amplitude = 0.054f * Point{dx, dy};
    }
  }
  Point operator()(Point p) const {
    Point moved = p;
    for (const Wave& w : waves_) {
      moved = moved + wave(w.direction.x * p.x + w.direction.y * p.y + w.phase) * w.amplitude;
    }
    return moved;
  }

 private:
  struct Wave {
    Point direction;
    float phase;
    Point amplitude;
  };
  Wave waves_[3];
};

// Stretch, slant and turn about the middle of the box.
class Affine {
 public:
  explicit Affine(CounterRng& rng) {
    const float width = rng.uniform(0.6f, 1.05f);
    const float slant = 0.25f * rng.bell() - 0.08f;  // most hands lean to the right
    // The angle whose half has this tangent: sine and cosine are then plain fractions.
    const float half = 0.07f * rng.bell();
    const float cosine = (1.0f - half * half) / (1.0f + half * half);
    const float sine = 2.0f * half / (1.0f + half * half);
    x_ = {cosine * width, sine * width};
    y_ = {cosine * slant - sine, sine * slant + cosine};
  }
  Point operator()(Point p) const { return (p.x - 0.5f) * x_ + (p.y - 0.5f) * y_; }

 private:
  Point x_;
  Point y_;
};

// Scales the drawing to MNIST's box and puts its centre of mass near the centre of the image.
void place(std::vector<Polyline>& lines, CounterRng& rng) {
  Point low = lines.front().front();
  Point high = low;
  Point mass;
  float length = 0;
  for (const Polyline& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      low = {std::min(low.x, line[i].x), std::min(low.y, line[i].y)};
      high = {std::max(high.x, line[i].x), std::max(high.y, line[i].y)};
      if (i == 0) continue;
      const Point step = line[i] - line[i - 1];
      const float piece = std::sqrt(step.x * step.x + step.y * step.y);
      mass = mass + 0.5f * piece * (line[i] + line[i - 1]);
      length += piece;
    }
  }
  const float pen = 2.5f;  // the ink reaches beyond the path
  const float scale =
      (kBoxSide - pen) / std::max(high.x - low.x, high.y - low.y) * rng.uniform(0.86f, 1.06f);
  const float middle = static_cast<float>(kDigitSide) / 2.0f;
  const Point shift =
      Point{middle + 0.7f * rng.bell(), middle + 0.7f * rng.bell()} - (scale / length) * mass;
  for (Polyline& line : lines) {
    for (Point& point : line) point = scale * point + shift;
  }
}

// The signed distance of every pixel's centre to the ink's edge; negative is inside.
class Canvas {
 public:
  Canvas() { std::ranges::fill(distance_, kFar); }

  // A piece of a stroke with round ends.
  void draw(Point from, Point to, float radius) {
    const float reach = radius + 1.5f;
    const int left = clamp(std::min(from.x, to.x) - reach);
    const int right = clamp(std::max(from.x, to.x) + reach);
    const int top = clamp(std::min(from.y, to.y) - reach);
    const int bottom = clamp(std::max(from.y, to.y) + reach);
    const Point along = to - from;
    const float inverse = 1.0f / std::max(along.x * along.x + along.y * along.y, 1e-12f);
    for (int y = top; y <= bottom; ++y) {
      for (int x = left; x <= right; ++x) {
        const Point p = Point{static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f} - from;
        const float t = std::clamp((p.x * along.x + p.y * along.y) * inverse, 0.0f, 1.0f);
        const Point away = p - t * along;
        const float d = std::sqrt(away.x * away.x + away.y * away.y) - radius;
        float& nearest = distance_[y * kSide + x];
        nearest = std::min(nearest, d);
      }
    }
  }

  // Turns distance into ink with a soft edge, adds noise, and writes the pixels.
  void develop(std::span<std::uint8_t> pixels, CounterRng& rng) const {
    const float ink = rng.uniform(0.9f, 1.25f) * 255.0f;
    const float edge = rng.uniform(1.0f, 1.7f);  // MNIST's pixels are averages of a finer scan
    const float texture = rng.uniform(0.0f, 0.10f);
    const float grain = std::max(0.0f, rng.uniform(-6.0f, 14.0f));  // about a third have none
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const float cover = std::clamp(0.5f - distance_[i] / edge, 0.0f, 1.0f);
      // One draw serves both: coarse noise where there is ink, fine grain everywhere.
      const float noise = rng.uniform(-1.0f, 1.0f);
      const float value = ink * cover * (1.0f + texture * noise) + grain * noise;
      pixels[i] = static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f));
    }
  }

 private:
  static constexpr int kSide = static_cast<int>(kDigitSide);
  static constexpr float kFar = 1e3f;
  static int clamp(float v) { return static_cast<int>(std::clamp(v, 0.0f, kSide - 1.0f)); }

  float distance_[kSide * kSide];
};

void draw_strokes(Canvas& canvas, const std::vector<Polyline>& lines, CounterRng& rng) {
  const float width = std::max(0.75f, 1.35f + 0.35f * rng.bell());
  const float variation = rng.uniform(0.0f, 0.25f);
  for (const Polyline& line : lines) {
    const float phase = rng.uniform();
    for (std::size_t i = 1; i < line.size(); ++i) {
      // The pen's pressure comes and goes along the stroke.
      const float pressure = 1.0f + variation * wave(phase + static_cast<float>(i) / 24.0f);
      canvas.draw(line[i - 1], line[i], width * pressure);
    }
  }
}

std::uint8_t draw_digit(std::uint64_t key, std::span<std::uint8_t> pixels) {
  CounterRng rng(key);
  const int digit = static_cast<int>(rng.below(10));
  const std::span<const Glyph> glyphs = glyphs_of(digit);
  const Glyph& glyph = glyphs[rng.below(glyphs.size())];
  const ElasticField bend(rng);
  const Affine affine(rng);
  std::vector<Polyline> lines;
  for (const Stroke& stroke : glyph) {
    lines.push_back(flatten(stroke, key));
    for (Point& point : lines.back()) point = affine(bend(point));
  }
  place(lines, rng);
  Canvas canvas;
  draw_strokes(canvas, lines, rng);
  canvas.develop(pixels, rng);
  return static_cast<std::uint8_t>(digit);
}

}  // namespace

LabelledImages generate_digits(std::int64_t count, std::uint64_t seed, std::int64_t first,
                               int threads) {
  HYP_CHECK(count >= 0 && first >= 0, "generate_digits: count and first are at least 0");
  constexpr std::int64_t kPixels = kDigitSide * kDigitSide;
  LabelledImages set{HostArray::zeros(DType::u8, {count, kDigitSide, kDigitSide}),
                     HostArray::zeros(DType::u8, {count})};
  const std::span<std::uint8_t> pixels = set.images.as<std::uint8_t>();
  const std::span<std::uint8_t> labels = set.labels.as<std::uint8_t>();
  const auto draw_range = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto key = derive_key(seed, static_cast<std::uint64_t>(first + i));
      labels[i] = draw_digit(key, pixels.subspan(i * kPixels, kPixels));
    }
  };
  if (threads <= 0) threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::vector<std::jthread> workers;
  for (int t = 1; t < threads; ++t) {
    workers.emplace_back(draw_range, count * t / threads, count * (t + 1) / threads);
  }
  draw_range(0, count / threads);
  workers.clear();  // joins
  return set;
}

}  // namespace hyperion::data

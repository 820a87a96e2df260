// digit_glyphs.hpp: how people write the ten digits, as pen strokes; the raw material of
// digits.hpp.
#pragma once

#include <span>
#include <vector>

namespace hyperion::data {

struct Point {
  float x = 0;
  float y = 0;
};

// One movement of the pen: straight lines between the points, or a smooth curve through them.
struct Stroke {
  bool smooth = false;
  std::vector<Point> points;  // in the unit square, y downwards
};

using Glyph = std::vector<Stroke>;

// The ways to write `digit`, most of them common on both sides of the Atlantic. REQUIRES: digit is
// 0 to 9.
std::span<const Glyph> glyphs_of(int digit);

}  // namespace hyperion::data

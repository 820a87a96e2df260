#include "frontend/data/digit_glyphs.hpp"

#include <array>
#include <charconv>
#include <string_view>

#include "ir/support/check.hpp"

namespace hyperion::data {
namespace {

struct GlyphText {
  int digit;
  std::string_view strokes;
};

// `~` starts a curve through the points that follow, `-` a chain of straight lines; a point is x
// and y in percent of the glyph's box. Strokes that share an end point stay joined when points are
// moved.
constexpr GlyphText kGlyphs[] = {
    {0, "~ 52 2 22 14 8 50 20 86 50 98 80 84 92 48 78 14 52 2"},
    {0, "~ 66 8 34 6 10 40 14 82 44 98 78 80 88 40 72 8 46 10"},
    {0, "~ 74 14 44 2 14 32 16 78 48 98 82 72 86 32 64 4 42 16"},
    {0, "~ 40 6 12 40 20 84 50 98 82 76 88 30 66 4 40 6"},

    {1, "- 50 0 50 100"},
    {1, "- 24 24 52 0 52 100"},
    {1, "- 28 20 54 0 54 100  - 26 100 82 100"},
    {1, "~ 56 0 50 50 46 100"},

    {2, "~ 12 24 30 4 62 2 82 20 74 46 44 72 8 97  - 8 97 92 97"},
    {2, "~ 14 22 40 2 74 12 74 40 44 70 16 92 6 82 24 74 52 90 72 96 94 84"},
    {2, "~ 10 18 48 0 84 20 66 54 10 96  ~ 10 96 40 90 66 98 94 88"},
    {2, "- 12 8 66 4  ~ 66 4 86 22 62 56 8 96  - 8 96 90 94"},

    {3, "~ 12 14 42 0 80 14 74 38 42 48  ~ 42 48 80 56 88 80 54 100 10 88"},
    {3, "- 14 4 82 4 44 42  ~ 44 42 80 50 90 76 60 98 10 88"},
    {3, "~ 14 12 50 0 80 18 64 42 38 48 44 53 78 58 88 80 54 99 8 86"},
    {3, "~ 16 6 56 0 84 20 40 46  ~ 40 46 82 50 84 86 48 100 14 92"},

    {4, "- 20 2 12 56 88 56  - 70 4 66 100"},
    {4, "- 66 100 66 2 6 68 94 68"},
    {4, "~ 22 0 14 30 14 54 40 58 74 46  ~ 80 6 76 50 70 100"},
    {4, "- 26 4 14 46 80 46  - 80 0 64 100"},

    {5, "- 82 4 26 4 20 44  ~ 20 44 54 36 88 62 70 94 36 100 8 86"},
    {5, "- 84 2 28 6  ~ 28 6 22 42 50 38 86 58 78 90 40 100 8 84"},
    {5, "~ 30 6 22 40 46 38 84 54 84 86 48 100 10 88  - 30 6 92 2"},

    {6, "~ 70 2 34 24 12 62 26 94 62 96 84 74 66 52 34 56 14 74"},
    {6, "~ 58 0 24 36 12 72 32 98 66 96 82 74 64 56 30 64 16 82"},
    {6, "~ 84 8 48 6 14 44 12 82 46 100 84 84 82 56 50 46 18 66"},

    {7, "- 8 4 90 4 40 100"},
    {7, "- 8 6 90 4 42 100  - 26 52 78 48"},
    {7, "~ 8 12 40 6 90 4  ~ 90 4 56 44 40 100"},
    {7, "- 10 24 12 4 90 4 46 100"},

    {8, "~ 78 18 50 0 22 18 34 42 66 58 84 80 50 100 16 80 34 58 66 42 78 18"},
    {8, "~ 50 2 24 22 50 46 78 24 50 2  ~ 50 46 14 74 50 99 88 74 50 46"},
    {8, "~ 86 8 46 2 20 22 46 46 78 68 70 96 34 98 16 76 44 50 72 28 86 8"},

    {9, "~ 82 20 54 2 18 18 18 46 48 54 78 34 82 20  ~ 82 20 80 50 70 100"},
    {9, "~ 80 26 50 2 16 22 24 50 58 50 82 22 84 40 76 78 44 100 14 90"},
    {9, "~ 82 10 44 2 16 26 30 52 64 44 82 10  - 82 10 74 100"},
};

Glyph parse(std::string_view text) {
  Glyph glyph;
  std::vector<float> numbers;
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
    } else if (text.front() == '~' || text.front() == '-') {
      glyph.push_back({text.front() == '~', {}});
      text.remove_prefix(1);
    } else {
      int percent = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), percent);
      HYP_CHECK(error == std::errc{} && !glyph.empty(), "a glyph is ~ or - and then numbers");
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
      numbers.push_back(static_cast<float>(percent) / 100.0f);
      if (numbers.size() == 2) {
        glyph.back().points.push_back({numbers[0], numbers[1]});
        numbers.clear();
      }
    }
  }
  HYP_CHECK(numbers.empty(), "a glyph's numbers come in pairs");
  return glyph;
}

}  // namespace

std::span<const Glyph> glyphs_of(int digit) {
  static const auto kParsed = [] {
    std::array<std::vector<Glyph>, 10> glyphs;
    for (const GlyphText& text : kGlyphs) glyphs[text.digit].push_back(parse(text.strokes));
    return glyphs;
  }();
  HYP_CHECK(0 <= digit && digit <= 9, "a digit is 0 to 9");
  return kParsed[digit];
}

}  // namespace hyperion::data

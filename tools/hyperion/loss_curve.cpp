#include "tools/hyperion/loss_curve.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "ir/support/format.hpp"

namespace hyperion::tools {
namespace {

// Logarithms of the columns' means, and their range, never empty.
struct Columns {
  std::vector<std::optional<double>> logs;
  double low = 0;
  double high = 1;

  double height(double log) const { return (log - low) / (high - low); }  // 0 to 1
};

Columns columns_of(std::span<const float> losses, std::size_t wanted) {
  Columns columns;
  const std::size_t count = std::min(wanted, losses.size());
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t begin = k * losses.size() / count;
    const std::size_t end = (k + 1) * losses.size() / count;
    double sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += losses[i];
    const double mean = sum / static_cast<double>(end - begin);
    columns.logs.push_back(std::isfinite(mean) && mean > 0 ? std::optional(std::log(mean))
                                                           : std::nullopt);
  }
  bool first = true;
  for (const auto& log : columns.logs) {
    if (!log) continue;
    columns.low = first ? *log : std::min(columns.low, *log);
    columns.high = first ? *log : std::max(columns.high, *log);
    first = false;
  }
  // A flat curve stands in the middle.
  if (columns.high - columns.low < 1e-3) {
    columns.low -= 0.5;
    columns.high += 0.5;
  }
  return columns;
}

// U+2800 plus eight bits, in UTF-8.
std::string braille(unsigned dots) {
  std::string text = "\xe2";
  text += static_cast<char>(0xa0 | (dots >> 6));
  text += static_cast<char>(0x80 | (dots & 0x3f));
  return text;
}

}  // namespace

std::string terminal_curve(std::span<const float> losses, int columns, int rows) {
  if (losses.empty()) return "";
  // Bits of the dots of a Braille character, by row and column.
  constexpr unsigned kDots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
  const Columns curve = columns_of(losses, static_cast<std::size_t>(2 * columns));
  std::vector<std::vector<unsigned>> cells(
      static_cast<std::size_t>(rows), std::vector<unsigned>(static_cast<std::size_t>(columns)));
  for (std::size_t x = 0; x < curve.logs.size(); ++x) {
    if (!curve.logs[x]) continue;
    const int steps = 4 * rows - 1;
    const int y = steps - static_cast<int>(std::lround(curve.height(*curve.logs[x]) * steps));
    cells[static_cast<std::size_t>(y / 4)][x / 2] |= kDots[y % 4][x % 2];
  }
  std::string text;
  for (int row = 0; row < rows; ++row) {
    const double share = 1 - (row + 0.5) / rows;
    text += format("{:>9.4f} │", std::exp(curve.low + share * (curve.high - curve.low)));
    for (unsigned dots : cells[static_cast<std::size_t>(row)]) text += braille(dots);
    text += "\n";
  }
  std::string axis;
  for (int k = 0; k < columns; ++k) axis += "─";
  return text +
         format("{:>9} └{}\n{:>11}step 1{:>{}}\n", "loss", axis, "", losses.size(), columns - 6);
}

std::string svg_curve(std::span<const float> losses, const std::string& title) {
  constexpr double kWidth = 720, kHeight = 400, kLeft = 70, kTop = 40, kRight = 20, kBottom = 40;
  const double width = kWidth - kLeft - kRight;
  const double height = kHeight - kTop - kBottom;
  const Columns curve = columns_of(losses, 600);
  const auto y_of = [&](double log) { return kTop + (1 - curve.height(log)) * height; };
  std::string svg = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      "<text x=\"{}\" y=\"24\" font-size=\"16\">{}</text>\n",
      kWidth, kHeight, kLeft, title);
  constexpr int kLines = 5;
  for (int k = 0; k <= kLines; ++k) {
    const double log = curve.low + (curve.high - curve.low) * k / kLines;
    svg += format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:.4f}</text>\n",
        kLeft, kWidth - kRight, y_of(log), kLeft - 8, y_of(log) + 4, std::exp(log));
  }
  std::string points;
  const double last = std::max<double>(1, static_cast<double>(curve.logs.size()) - 1);
  for (std::size_t k = 0; k < curve.logs.size(); ++k) {
    if (!curve.logs[k]) continue;
    points += format("{:.1f},{:.1f} ", kLeft + width * static_cast<double>(k) / last,
                     y_of(*curve.logs[k]));
  }
  return svg +
         format(
             "<polyline points=\"{}\" fill=\"none\" stroke=\"#2563eb\" stroke-width=\"1.5\"/>\n"
             "<text x=\"{}\" y=\"{}\">step 1</text><text x=\"{}\" y=\"{}\" "
             "text-anchor=\"end\">step {}</text>\n</svg>\n",
             points, kLeft, kHeight - 14, kWidth - kRight, kHeight - 14, losses.size());
}

}  // namespace hyperion::tools

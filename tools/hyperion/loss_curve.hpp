// loss_curve.hpp: losses as a picture, for a terminal and for a file.
//
// Both show each column's mean over its steps, on a logarithmic scale, because a loss falls by
// factors. Losses that are zero or not finite are left out. Thread safety: all functions.
#pragma once

#include <span>
#include <string>

namespace hyperion::tools {

// Lines of Braille dots, 2 x 4 to a character, with the scale on the left. Empty without losses.
std::string terminal_curve(std::span<const float> losses, int columns = 64, int rows = 10);

// A whole SVG document.
std::string svg_curve(std::span<const float> losses, const std::string& title);

}  // namespace hyperion::tools

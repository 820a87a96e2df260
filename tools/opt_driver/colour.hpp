// colour.hpp: messages for a terminal that shows colours.
#pragma once

#include <string>

namespace hyperion::tools {

// `messages` with severities, notes, hints and marks in colour; without the colours, the same text.
std::string in_colour(const std::string& messages);

// Whether standard error wants colour: a terminal that can, and no NO_COLOR (no-color.org).
bool wants_colour();

}  // namespace hyperion::tools

// format.hpp: the one door to fmt. Include it in sources, never in public headers.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace hyperion {
using fmt::format;
}  // namespace hyperion

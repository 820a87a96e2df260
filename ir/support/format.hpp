// format.hpp: the one door to fmt. Include it in sources, never in public headers.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <utility>

namespace hyperion {

// A function object, not `using fmt::format`: arguments of namespace std would draw in std::format as well, where the
// library has it, and every call would be ambiguous.
struct Format {
  template <class... Arguments>
  std::string operator()(fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
    return fmt::format(text, std::forward<Arguments>(arguments)...);
  }
};
inline constexpr Format format;

}  // namespace hyperion

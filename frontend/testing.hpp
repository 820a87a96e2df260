// testing.hpp: what the tests of this room share.
#pragma once

#include <string>

#include "ir/support/status.hpp"

namespace hyperion::testing {

// The message of the Error that `statement` throws, with the repository's folder removed and the expected line written as
// <line>, without its column.
template <class F>
std::string error_of(F statement, int line) {
  try {
    statement();
  } catch (const Error& error) {
    std::string text = error.what();
    const std::string folder = HYPERION_SOURCE_DIR "/";
    for (std::size_t at; (at = text.find(folder)) != std::string::npos;) text.erase(at, folder.size());
    const std::string place = ":" + std::to_string(line) + ":";
    if (const std::size_t at = text.find(place); at != std::string::npos) {
      const std::size_t end = text.find(':', at + place.size());
      text.replace(at, end - at, ":<line>");
    }
    return text;
  }
  return "(no error)";
}

}  // namespace hyperion::testing

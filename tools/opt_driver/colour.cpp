#include "tools/opt_driver/colour.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace hyperion::tools {
namespace {

struct Word {
  std::string_view text;
  const char* colour;  // an SGR code
};
constexpr Word kWords[] = {
    {"error: ", "1;31"}, {"warning: ", "1;35"}, {"remark: ", "1;34"},
    {"FAILED ", "1;31"}, {"note: ", "36"},      {"hint: ", "32"},
};

std::string painted(std::string_view text, const char* colour) {
  return "\x1b[" + std::string(colour) + "m" + std::string(text) + "\x1b[0m";
}

// The line under a quoted one: nothing but marks.
bool is_marks(std::string_view line) {
  return line.find('^') != std::string_view::npos &&
         line.find_first_not_of(" ^~") == std::string_view::npos;
}

// A severity opens its line, or follows a place: "file:3:14: error: ".
std::string line_in_colour(std::string_view line) {
  if (is_marks(line)) return painted(line, "32");
  for (const Word& word : kWords) {
    const std::size_t at = line.find(word.text);
    if (at == std::string_view::npos) continue;
    const std::string_view place = line.substr(0, at);
    const bool opens = place.find_first_not_of(' ') == std::string_view::npos;
    if (!opens && !place.ends_with(": ")) continue;
    return std::string(place) + painted(word.text, word.colour) +
           std::string(line.substr(at + word.text.size()));
  }
  return std::string(line);
}

}  // namespace

std::string in_colour(const std::string& messages) {
  std::string out;
  for (std::size_t begin = 0; begin < messages.size();) {
    const std::size_t end = std::min(messages.find('\n', begin), messages.size());
    out += line_in_colour(std::string_view(messages).substr(begin, end - begin));
    if (end < messages.size()) out += '\n';
    begin = end + 1;
  }
  return out;
}

bool wants_colour() {
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return (refused == nullptr || *refused == '\0') && !is_dumb && isatty(STDERR_FILENO) == 1;
}

}  // namespace hyperion::tools

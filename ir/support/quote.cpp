#include "ir/support/quote.hpp"

#include "ir/support/format.hpp"

namespace hyperion {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string as_byte(unsigned char c) { return format("\\x{:02x}", c); }

}  // namespace

std::string quoted(std::string_view text) { return quoted(text, as_byte); }

std::string quoted(std::string_view text, std::string (*escape_control)(unsigned char)) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += is_control(c) ? escape_control(static_cast<unsigned char>(c)) : std::string(1, c);
    }
  }
  return out + "\"";
}

}  // namespace hyperion

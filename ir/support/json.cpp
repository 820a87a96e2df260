#include "ir/support/json.hpp"

#include <cmath>

#include "ir/support/format.hpp"

namespace hyperion {
namespace {

std::string members(JsonFields fields) {
  std::string out;
  for (const auto& [name, value] : fields)
    out += format("{}{}: {}", out.empty() ? "" : ", ", json_string(name), value);
  return out;
}

}  // namespace

std::string json_string(std::string_view text) {
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
        if (static_cast<unsigned char>(c) < 0x20)
          out += format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  return out + "\"";
}

std::string json_number(double value) {
  return std::isfinite(value) ? format("{}", value) : "null";
}

std::string json_object(JsonFields fields) { return "{" + members(fields) + "}"; }

std::string json_array(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) out += (out.size() == 1 ? "\n  " : ",\n  ") + value;
  return out + (values.empty() ? "]" : "\n]");
}

std::string json_document(std::string_view name, JsonFields fields) {
  return format("{{\"schema\": {}{}{}}}\n", json_string(format("hyperion.{}/1", name)),
                fields.size() == 0 ? "" : ", ", members(fields));
}

}  // namespace hyperion

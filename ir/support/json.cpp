#include "ir/support/json.hpp"

#include <cmath>

#include "ir/support/format.hpp"
#include "ir/support/quote.hpp"

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
  // JSON lets DEL stand as it is.
  return quoted(text, [](unsigned char c) { return c == 0x7f ? std::string(1, '\x7f') : format("\\u{:04x}", c); });
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

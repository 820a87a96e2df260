// json.hpp: JSON as text, for the output of tools. Values are text that is JSON already; json_string() and json_number()
// make them.
//
// A document is an object whose first field says what it is, `"schema": "hyperion.check/1"`; the number rises when a field
// changes its meaning or goes. Thread safety: all functions.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hyperion {

using JsonFields = std::initializer_list<std::pair<std::string_view, std::string>>;

std::string json_string(std::string_view text);
std::string json_number(double value);                           // null where JSON has no word: infinities, NaN
std::string json_object(JsonFields fields);                      // on one line
std::string json_array(const std::vector<std::string>& values);  // a line for each value
// The document "hyperion.NAME/1", with a line end.
std::string json_document(std::string_view name, JsonFields fields);

}  // namespace hyperion

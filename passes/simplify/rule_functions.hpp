// rule_functions.hpp: the functions and conditions that rule text may name: small, total functions of attributes, types
// and constants. To add one, add a line to the table in rule_functions.cpp.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "ir/attributes.hpp"
#include "ir/type.hpp"

namespace hyperion::passes {

// What a function may know of a value: never its elements, unless it is a constant.
struct ValueFacts {
  Type type;
  LiteralPtr constant;  // null: not a constant
};
using RuleArgument = std::variant<ir::AttributeValue, ValueFacts>;

// A condition returns a boolean attribute, a maker of constants a literal. Nothing: the rule does not apply.
struct RuleFunction {
  std::string_view name;
  std::string_view doc;
  std::size_t argument_count;
  std::optional<ir::AttributeValue> (*apply)(std::span<const RuleArgument> arguments);
};

const RuleFunction* find_rule_function(std::string_view name);  // null: none
std::span<const RuleFunction> all_rule_functions();

}  // namespace hyperion::passes

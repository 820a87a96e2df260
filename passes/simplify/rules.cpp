// The built-in rules, read once.
#include <algorithm>

#include "ir/support/check.hpp"
#include "passes/simplify/rule.hpp"
#include "passes/simplify/rules/rules.hpp"

namespace hyperion::passes {
namespace {

std::vector<Rule> read(std::initializer_list<std::string_view> texts) {
  std::vector<Rule> all;
  for (std::string_view text : texts) {
    Diagnostics diagnostics;
    Result<std::vector<Rule>> rules = parse_rules(text, "built-in rules", diagnostics);
    HYP_CHECK(rules.has_value(), diagnostics.render());
    for (Rule& rule : *rules) all.push_back(std::move(rule));
  }
  return all;
}

}  // namespace

std::span<const Rule> all_rules() {
  static const auto* rules = new std::vector<Rule>(
      read({scalar_rules(), logic_rules(), view_rules(), reduction_rules(), motion_rules()}));
  return *rules;
}

std::span<const Rule> layout_rules() {
  static const auto* rules = new std::vector<Rule>(read({convolution_layout_rules()}));
  return *rules;
}

const Rule* find_rule(std::string_view name) {
  const auto found = std::ranges::find(all_rules(), name, &Rule::name);
  return found == all_rules().end() ? nullptr : &*found;
}

}  // namespace hyperion::passes

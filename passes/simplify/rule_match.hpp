// rule_match.hpp: does a rule's left side stand here, and what would its right side be?
#pragma once

#include <optional>
#include <vector>

#include "passes/rewriter.hpp"
#include "passes/simplify/rule.hpp"

namespace hyperion::passes {

struct RuleMatch {
  std::vector<ir::ValueId> values;          // by variable; [0] is the root's result
  std::vector<ir::AttributeValue> attributes;
  std::vector<bool> has_attribute;
  std::vector<ir::OpId> op_variables;
  std::vector<ir::OpId> ops;                // all that were matched, the root first
};

// The first way in which the rule's left side matches at `root` and its conditions hold.
std::optional<RuleMatch> match(const Rule& rule, const ir::Function& function, ir::OpId root);

// Writes the right side in front of the root. Nothing, with no op left behind, if a function of the right side declines,
// or the types do not come out as the root's.
std::optional<ir::ValueId> build_replacement(const Rule& rule, const RuleMatch& match, Rewriter& rewriter,
                                             ir::Function& function);

}  // namespace hyperion::passes

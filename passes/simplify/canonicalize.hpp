// canonicalize.hpp: applies rewrite rules and constant folding until none applies.
//
// A worklist visits every op, operands before users, and again whenever something around it changed. At each op, dead code
// goes first, then constants fold, then the rules for that op are tried in the order of all_rules(). A rule applies if the
// policy allows its tag for the root's element type and it is not switched off. The work is linear in the number of ops
// and rewrites; a generous limit on rewrites stops rules that would chase each other, with a warning.
//
// Policies: strict (same bits), signless_zero (also rules that may change the sign of a zero), fast (also rules that hold
// over the real numbers).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "ir/module.hpp"
#include "passes/pass.hpp"
#include "passes/simplify/rule.hpp"

namespace hyperion::passes {

struct CanonicalizeOptions {
  std::span<const Rule> rules = all_rules();
  Tag policy = Tag::same_bits;
  std::vector<const Rule*> disabled = {};
  bool fold = true;
};

Changed canonicalize(const ir::Module& module, ir::Function& function, const CanonicalizeOptions& options,
                     PassContext& context);

}  // namespace hyperion::passes

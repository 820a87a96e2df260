#include "passes/simplify/cse.hpp"

#include <algorithm>
#include <unordered_map>

#include "ir/support/hash.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

std::vector<ir::ValueId> ordered_operands(const ir::Op& op) {
  std::vector<ir::ValueId> operands = op.operands;
  if (op.definition->is_commutative && operands[1] < operands[0]) std::swap(operands[0], operands[1]);
  return operands;
}

std::uint64_t hash_of(const ir::Op& op) {
  std::uint64_t hash = hash_combine(op.definition->index, op.attributes.hash());
  for (ir::ValueId operand : ordered_operands(op)) hash = hash_combine(hash, operand.index);
  return hash;
}

// Types of results follow from the rest, except for constants, whose attribute says them.
bool are_equal(const ir::Op& a, const ir::Op& b) {
  return a.definition == b.definition && ordered_operands(a) == ordered_operands(b) && a.attributes == b.attributes;
}

}  // namespace

Changed eliminate_common_subexpressions(const ir::Module& module, ir::Function& function, PassContext& context) {
  Rewriter rewriter(module, function, context);
  std::unordered_multimap<std::uint64_t, ir::OpId> seen;
  for (ir::OpId id : function.ops()) {
    const ir::Op& op = function.op(id);
    if (!op.definition->is_pure || !op.blocks.empty() || op.results.empty()) continue;
    const std::uint64_t hash = hash_of(op);
    const auto [begin, end] = seen.equal_range(hash);
    const auto same = std::find_if(begin, end, [&](const auto& entry) { return are_equal(function.op(entry.second), op); });
    if (same == end) {
      seen.emplace(hash, id);
    } else {
      rewriter.replace(id, function.op(same->second).results, "cse");
    }
  }
  return rewriter.changed();
}

PassDefinition pass_cse() {
  return {.name = "cse",
          .doc = "Computes equal things once.",
          .run = [](ir::Module& module, const ir::Attributes&, PassContext& context) -> Result<Changed> {
            Changed changed = Changed::no;
            for (const auto& function : module.functions()) {
              if (function->kind != ir::FunctionKind::func) continue;
              changed |= eliminate_common_subexpressions(module, *function, context);
            }
            return changed;
          }};
}

}  // namespace hyperion::passes

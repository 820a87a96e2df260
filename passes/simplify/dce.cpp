#include "passes/simplify/dce.hpp"

#include <algorithm>

#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

template <class Erase>
void for_each_dead_op(const ir::Function& function, Erase erase) {
  const std::vector<ir::OpId> ops = function.ops();
  for (auto id = ops.rbegin(); id != ops.rend(); ++id) {
    const ir::Op& op = function.op(*id);
    const auto is_unused = [&](ir::ValueId result) { return function.value(result).uses.empty(); };
    // A barrier orders what is computed; if nobody needs its results, there is nothing to order.
    const bool removable = op.definition->is_pure || op.is("barrier");
    if (removable && std::ranges::all_of(op.results, is_unused)) erase(*id);
  }
}

}  // namespace

Changed eliminate_dead_code(const ir::Module& module, ir::Function& function, PassContext& context) {
  Rewriter rewriter(module, function, context);
  for_each_dead_op(function, [&](ir::OpId op) { rewriter.erase(op, "dce"); });
  return rewriter.changed();
}

void remove_dead_ops(ir::Function& function) {
  for_each_dead_op(function, [&](ir::OpId op) { function.erase_op(op); });
}

PassDefinition pass_dce() {
  return {.name = "dce",
          .doc = "Removes ops whose results nobody needs.",
          .run = [](ir::Module& module, const ir::Attributes&, PassContext& context) -> Result<Changed> {
            Changed changed = Changed::no;
            for (const auto& function : module.functions()) {
              if (function->kind == ir::FunctionKind::func) changed |= eliminate_dead_code(module, *function, context);
            }
            return changed;
          }};
}

}  // namespace hyperion::passes

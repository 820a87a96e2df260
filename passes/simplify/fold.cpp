#include "passes/simplify/fold.hpp"

#include <algorithm>

#include "ir/interpreter.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

bool can_fold(const ir::Function& function, const ir::Op& op) {
  if (op.definition->group == ir::OpGroup::source || op.definition->group == ir::OpGroup::kernel) return false;
  return op.definition->is_pure && op.results.size() == 1 && !op.operands.empty() && op.blocks.empty() &&
         !is_complex(function.type(op.results[0]).dtype());
}

// The interpreter's answer, or nothing: what it refuses is not folded.
std::optional<LiteralPtr> evaluate(const ir::Module& module, const ir::Op& op, const std::vector<LiteralPtr>& operands) {
  auto results = ir::interpret_op(*op.definition, operands, op.attributes, &module);
  if (!results || results->size() != 1) return std::nullopt;
  return results->front();
}

}  // namespace

std::optional<LiteralPtr> fold_op(const ir::Module& module, const ir::Function& function, const ir::Op& op,
                                  std::int64_t max_elements) {
  if (!can_fold(function, op)) return std::nullopt;
  std::vector<LiteralPtr> operands;
  bool all_splats = true, small = true;
  for (ir::ValueId operand : op.operands) {
    const ir::Op* producer = function.producer(operand);
    if (producer == nullptr || !producer->is("constant")) return std::nullopt;
    operands.push_back(producer->attributes.literal("value"));
    const Type type = operands.back()->type();
    all_splats &= operands.back()->is_splat();
    small &= type.is_static() && type.element_count() <= max_elements;
  }
  const Type result = function.type(op.results[0]);
  if (op.definition->is_elementwise && all_splats) {
    for (LiteralPtr& operand : operands) {
      operand = Literal::splat(Type::scalar(operand->type().dtype()), operand->stored_bytes());
    }
    const std::optional<LiteralPtr> element = evaluate(module, op, operands);
    if (!element) return std::nullopt;
    return Literal::splat(result, (*element)->stored_bytes());
  }
  if (!small || !result.is_static() || result.element_count() > max_elements) return std::nullopt;
  return evaluate(module, op, operands);
}

PassDefinition pass_fold() {
  return {.name = "fold",
          .doc = "Computes ops whose operands are constants.",
          .options = {{"max_elements", ir::AttributeKind::integer, "the largest constant to make, unless all its elements are equal",
                       kMaxFoldedElements}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            Changed changed = Changed::no;
            for (const auto& function : module.functions()) {
              if (function->kind != ir::FunctionKind::func) continue;
              Rewriter rewriter(module, *function, context);
              for (ir::OpId id : function->ops()) {
                const auto value = fold_op(module, *function, function->op(id), options.integer("max_elements"));
                if (value) rewriter.replace(id, {rewriter.before(id).constant(*value).id}, "fold");
              }
              changed |= rewriter.changed();
            }
            return changed;
          }};
}

}  // namespace hyperion::passes

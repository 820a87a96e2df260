// expand: writes composites out in core ops, and drops what only derivatives need. Composites named in `keep` stay, for
// backends that have something better than the sum of the parts.
#include <algorithm>
#include <iterator>
#include <sstream>

#include "passes/function_copy.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

void expand_op(const ir::Module& module, ir::Function& function, Rewriter& rewriter, ir::OpId id,
               std::vector<ir::OpId>& pending) {
  const ir::Op& op = function.op(id);
  std::vector<Type> types;
  for (ir::ValueId operand : op.operands) types.push_back(function.type(operand));
  const ir::Function body = decomposition(&module, op, types);
  ir::Builder builder = rewriter.before(id);
  std::vector<ir::Value> arguments;
  for (ir::ValueId operand : op.operands) arguments.push_back(builder.wrap(operand));
  const auto first_new = static_cast<std::uint32_t>(function.op_slots());
  std::vector<ir::ValueId> results;
  for (const ir::Value& result : copy_body(builder, body, arguments)) results.push_back(result.id);
  for (auto index = first_new; index < function.op_slots(); ++index) pending.push_back(ir::OpId{index});
  rewriter.replace(id, results, "expand");
}

Changed expand(const ir::Module& module, ir::Function& function, const std::vector<std::string>& keep,
               PassContext& context) {
  Rewriter rewriter(module, function, context);
  std::vector<ir::OpId> pending = function.ops();
  while (!pending.empty()) {
    const ir::OpId id = pending.back();
    pending.pop_back();
    const ir::Op& op = function.op(id);
    if (op.is("stop_gradient")) {
      rewriter.replace(id, {op.operands[0]}, "expand");
    } else if (op.definition->is_composite() && std::ranges::find(keep, op.name()) == keep.end()) {
      expand_op(module, function, rewriter, id, pending);
    }
  }
  return rewriter.changed();
}

}  // namespace

PassDefinition pass_expand() {
  return {.name = "expand",
          .doc = "Writes composites out in core ops.",
          .options = {{"keep", ir::AttributeKind::text, "composites to leave whole, separated by spaces", std::string()}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const std::vector<std::string> keep = words(options.text("keep"));
            Changed changed = Changed::no;
            for (const auto& function : module.functions()) {
              if (function->kind == ir::FunctionKind::func) changed |= expand(module, *function, keep, context);
            }
            return changed;
          }};
}

}  // namespace hyperion::passes

#include "passes/simplify/inline.hpp"

#include <set>

#include "passes/function_copy.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

// Adds the functions that `function` refers to.
void add_symbols(const ir::Function& function, std::vector<std::string>& names) {
  for (std::uint32_t k = 0; k < function.op_slots(); ++k) {
    for (const auto& [unused, value] : function.op(ir::OpId{k}).attributes) {
      if (const auto* symbol = std::get_if<ir::SymbolReference>(&value)) names.push_back(symbol->name);
    }
  }
}

}  // namespace

Changed inline_calls(const ir::Module& module, ir::Function& function, PassContext& context) {
  Rewriter rewriter(module, function, context);
  std::vector<ir::OpId> calls;
  for (ir::OpId id : function.ops()) {
    if (function.op(id).is("call")) calls.push_back(id);
  }
  while (!calls.empty()) {
    const ir::OpId call = calls.back();
    calls.pop_back();
    const ir::Function& callee = *module.find(function.op(call).attributes.symbol("callee"));
    ir::Builder builder = rewriter.before(call);
    std::vector<ir::Value> arguments;
    for (ir::ValueId operand : function.op(call).operands) arguments.push_back(builder.wrap(operand));
    const auto first_new = static_cast<std::uint32_t>(function.op_slots());
    std::vector<ir::ValueId> results;
    for (const ir::Value& result : copy_body(builder, callee, arguments)) results.push_back(result.id);
    for (auto index = first_new; index < function.op_slots(); ++index) {
      if (function.op(ir::OpId{index}).is("call")) calls.push_back(ir::OpId{index});
    }
    rewriter.replace(call, results, "inline");
  }
  return rewriter.changed();
}

Changed erase_unreachable(ir::Module& module, const std::string& entry) {
  std::set<std::string> reached;
  std::vector<std::string> pending{entry};
  while (!pending.empty()) {
    const std::string name = std::move(pending.back());
    pending.pop_back();
    if (reached.insert(name).second) add_symbols(*module.find(name), pending);
  }
  std::vector<std::string> unreached;
  for (const auto& function : module.functions()) {
    if (!reached.contains(function->name)) unreached.push_back(function->name);
  }
  for (const std::string& name : unreached) module.erase(name);
  return changed_if(!unreached.empty());
}

PassDefinition pass_inline() {
  return {.name = "inline",
          .doc = "Replaces calls by the bodies of what they call.",
          .options = {{"entry", ir::AttributeKind::text, "if given, what this function does not reach is erased", std::string()}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const std::string& entry = options.text("entry");
            if (!entry.empty() && module.find(entry) == nullptr) {
              context.diagnostics.error("pass.option", "inline: no function is called @" + entry);
              return failure();
            }
            Changed changed = Changed::no;
            for (const auto& function : module.functions()) {
              if (function->kind == ir::FunctionKind::func) changed |= inline_calls(module, *function, context);
            }
            if (!entry.empty()) changed |= erase_unreachable(module, entry);
            return changed;
          }};
}

}  // namespace hyperion::passes

#include "passes/simplify/inline.hpp"

#include <set>

#include "passes/function_copy.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

std::set<std::string> symbols_in(const ir::Module& module) {
  std::set<std::string> names;
  for (const auto& function : module.functions()) {
    for (std::uint32_t k = 0; k < function->op_slots(); ++k) {
      for (const auto& [unused, value] : function->op(ir::OpId{k}).attributes) {
        if (const auto* symbol = std::get_if<ir::SymbolReference>(&value)) names.insert(symbol->name);
      }
    }
  }
  return names;
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

PassDefinition pass_inline() {
  return {.name = "inline",
          .doc = "Replaces calls by the bodies of what they call.",
          .options = {{"keep", ir::AttributeKind::boolean, "keep called functions that nothing refers to any more", true}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            Changed changed = Changed::no;
            const std::set<std::string> called = symbols_in(module);
            for (const auto& function : module.functions()) {
              if (function->kind == ir::FunctionKind::func) changed |= inline_calls(module, *function, context);
            }
            if (options.boolean("keep")) return changed;
            const std::set<std::string> still_called = symbols_in(module);
            for (const std::string& name : called) {
              if (still_called.contains(name)) continue;
              module.erase(name);
              changed = Changed::yes;
            }
            return changed;
          }};
}

}  // namespace hyperion::passes

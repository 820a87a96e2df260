#include "passes/specialize.hpp"

#include <charconv>
#include <set>
#include <sstream>

#include "ir/support/format.hpp"
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

using ir::AttributeValue;
using ir::Function;
using ir::OpId;
using ir::ValueId;

std::optional<AttributeValue> substituted(const AttributeValue& value, const SymbolValues& symbols) {
  if (const auto* dims = std::get_if<ir::Dims>(&value)) {
    const Type type = Type(DType::f32, *dims).substitute(symbols);
    return ir::Dims(type.dims().begin(), type.dims().end());
  }
  const auto* literal = std::get_if<LiteralPtr>(&value);
  if (literal == nullptr || (*literal)->type().is_static()) return std::nullopt;
  return Literal::splat((*literal)->type().substitute(symbols), (*literal)->stored_bytes());
}

// A limit of -1 means "to the end" on symbolic axes only; on those that now have a size, it is that size.
void close_slice(Rewriter& rewriter, OpId id) {
  const ir::Op& op = rewriter.function().op(id);
  const Type x = rewriter.function().type(op.operands[0]);
  ir::Integers limits = op.attributes.integers("limits");
  for (int axis = 0; axis < x.rank(); ++axis) {
    std::int64_t& limit = limits[static_cast<std::size_t>(axis)];
    if (limit == -1 && x.dim(axis).is_static()) limit = x.dim(axis).value();
  }
  if (limits != op.attributes.integers("limits")) rewriter.set_attribute(id, "limits", std::move(limits));
}

Result<> specialize_op(const ir::Module& module, Rewriter& rewriter, OpId id, const SymbolValues& symbols,
                       Diagnostics& diagnostics) {
  const Function& function = rewriter.function();
  const ir::Attributes before = function.op(id).attributes;
  for (const auto& [name, value] : before) {
    std::optional<AttributeValue> now = substituted(value, symbols);
    if (now && !ir::equal(*now, value)) rewriter.set_attribute(id, name, *std::move(now));
  }
  if (function.op(id).is("slice")) close_slice(rewriter, id);
  const ir::Op& op = function.op(id);
  std::vector<Type> operands;
  for (ValueId operand : op.operands) operands.push_back(function.type(operand));
  ir::Attributes attributes = op.attributes;
  HYP_TRY(const std::vector<Type> types,
          ir::infer_types(*op.definition, operands, attributes, &module, diagnostics, op.location));
  for (std::size_t k = 0; k < types.size(); ++k) rewriter.set_type(op.results[k], types[k]);
  return {};
}

Result<Changed> specialize_function(const ir::Module& module, Function& function, const SymbolValues& symbols,
                                    PassContext& context) {
  Rewriter rewriter(module, function, context);
  for (ValueId parameter : function.parameters()) rewriter.set_type(parameter, function.type(parameter).substitute(symbols));
  for (OpId id : function.ops()) HYP_TRY_VOID(specialize_op(module, rewriter, id, symbols, context.diagnostics));
  return rewriter.changed();
}

// Functions in an order in which callees come before callers. Functions are not recursive.
std::vector<Function*> callees_first(const ir::Module& module) {
  std::vector<Function*> order;
  std::set<std::string_view> done;
  std::vector<Function*> stack;
  for (const auto& function : module.functions()) stack.push_back(function.get());
  while (!stack.empty()) {
    Function* function = stack.back();
    const std::size_t height = stack.size();
    for (std::uint32_t k = 0; k < function->op_slots() && !done.contains(function->name); ++k) {
      for (const auto& [unused, value] : function->op(OpId{k}).attributes) {
        const auto* symbol = std::get_if<ir::SymbolReference>(&value);
        Function* callee = symbol == nullptr ? nullptr : module.find(symbol->name);
        if (callee != nullptr && !done.contains(callee->name)) stack.push_back(callee);
      }
    }
    if (stack.size() != height) continue;
    stack.pop_back();
    if (done.insert(function->name).second) order.push_back(function);
  }
  return order;
}

Result<SymbolValues> parse_symbols(const std::string& text, Diagnostics& diagnostics) {
  SymbolValues symbols;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    std::int64_t value = -1;
    if (equals != std::string::npos) std::from_chars(word.data() + equals + 1, word.data() + word.size(), value);
    if (equals == 0 || value < 0) {
      diagnostics.error("pass.option", format("specialize: '{}' is not symbol=size", word));
      return failure();
    }
    symbols[word.substr(0, equals)] = value;
  }
  return symbols;
}

}  // namespace

Result<Changed> specialize(ir::Module& module, const SymbolValues& symbols, PassContext& context) {
  Changed changed = Changed::no;
  for (Function* function : callees_first(module)) {
    if (function->kind != ir::FunctionKind::func) continue;
    HYP_TRY(const Changed one, specialize_function(module, *function, symbols, context));
    changed |= one;
  }
  return changed;
}

PassDefinition pass_specialize() {
  return {.name = "specialize",
          .doc = "Gives numbers to symbolic dimensions.",
          .options = {{"symbols", ir::AttributeKind::text, "symbol=size, separated by spaces", std::string()}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            HYP_TRY(const SymbolValues symbols, parse_symbols(options.text("symbols"), context.diagnostics));
            return specialize(module, symbols, context);
          }};
}

}  // namespace hyperion::passes

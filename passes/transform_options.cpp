#include "passes/transform_options.hpp"

#include <charconv>
#include <sstream>

#include "ir/support/format.hpp"

namespace hyperion::passes {
namespace {

Result<ir::Function*> find_function(ir::Module& module, const std::string& name, PassContext& context) {
  std::vector<ir::Function*> found;
  for (const auto& function : module.functions()) {
    if (function->kind == ir::FunctionKind::func && (name.empty() || function->name == name)) found.push_back(function.get());
  }
  if (found.size() == 1) return found[0];
  context.diagnostics.error("pass.option",
                            name.empty() ? format("{}: the module has {} funcs: say which, function=NAME", context.pass,
                                                  found.size())
                                         : format("{}: no func is called @{}", context.pass, name));
  return failure();
}

Result<Selection> read_selection(const ir::Function& function, const std::string& text, bool (*may_select)(Type),
                                 PassContext& context) {
  const std::vector<Type> types = function.parameter_types();
  std::vector<bool> chosen(types.size(), false);
  if (text.empty()) {
    for (std::size_t k = 0; k < types.size(); ++k) chosen[k] = may_select(types[k]);
    return Selection(chosen);
  }
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    std::size_t k = 0;
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), k);
    if (code != std::errc{} || end != word.data() + word.size() || k >= types.size()) {
      context.diagnostics.error("pass.option", format("{}: '{}' is not one of the {} parameters of @{}", context.pass, word,
                                                      types.size(), function.name));
      return failure();
    }
    if (!may_select(types[k])) {
      context.diagnostics.error("pass.option", format("{}: parameter {} of @{} is {}, which cannot be chosen", context.pass,
                                                      k, function.name, types[k].text()));
      return failure();
    }
    chosen[k] = true;
  }
  return Selection(chosen);
}

}  // namespace

std::vector<ir::AttributeSpec> transform_options(std::string_view selection, std::string_view selection_doc,
                                                 std::string_view name_doc) {
  return {{"function", ir::AttributeKind::text, "the func to transform; empty: the only one", std::string()},
          {selection, ir::AttributeKind::text, selection_doc, std::string()},
          {"name", ir::AttributeKind::text, name_doc, std::string()}};
}

Result<> require_static(const ir::Function& function, PassContext& context) {
  const auto check = [&](ir::ValueId value) {
    if (function.type(value).is_static()) return true;
    context.diagnostics.error("pass.symbolic", format("{}: @{} holds {}, whose size is not known", context.pass,
                                                      function.name, function.type(value).text()),
                              {}, function.value(value).location);
    return false;
  };
  for (ir::ValueId parameter : function.parameters()) {
    if (!check(parameter)) return failure();
  }
  for (ir::OpId id : function.ops()) {
    for (ir::ValueId result : function.op(id).results) {
      if (!check(result)) return failure();
    }
  }
  return {};
}

Result<Transformed> read_transform(ir::Module& module, const ir::Attributes& options, std::string_view selection,
                                   bool (*may_select)(Type), PassContext& context) {
  HYP_TRY(ir::Function* const function, find_function(module, options.text("function"), context));
  // Of all functions, since it may call any.
  for (const auto& each : module.functions()) {
    if (each->kind == ir::FunctionKind::func) HYP_TRY_VOID(require_static(*each, context));
  }
  HYP_TRY(Selection chosen, read_selection(*function, options.text(selection), may_select, context));
  std::string name = options.text("name");
  if (name.empty()) name = module.unique_name(function->name + "_" + std::string(context.pass));
  if (module.find(name) != nullptr) {
    context.diagnostics.error("pass.option", format("{}: there is a function @{} already", context.pass, name));
    return failure();
  }
  return Transformed{function, std::move(chosen), std::move(name)};
}

}  // namespace hyperion::passes

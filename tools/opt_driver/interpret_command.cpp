// interpret_command.cpp: `interpret`: what a function computes, on given or random arguments.
#include "ir/interpreter.hpp"
#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "ir/support/suggest.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/input.hpp"
#include "tools/opt_driver/tensor_text.hpp"

namespace hyperion::tools {
namespace {

bool is_static(const ir::Function& function) {
  for (Type type : function.parameter_types()) {
    if (!type.is_static()) return false;
  }
  return true;
}

void interpret_function(const ir::Module& module, const ir::Function& function,
                        const OptConfig& config, Diagnostics& diagnostics, OptResult& result) {
  const Result<std::vector<LiteralPtr>> arguments = arguments_for(function, config, diagnostics);
  if (!arguments) return;
  const StatusOr<std::vector<LiteralPtr>> values = ir::interpret(module, function, *arguments);
  if (!values) {
    diagnostics.error("opt.interpret", format("@{}: {}", function.name, values.error().text()));
    return;
  }
  for (std::size_t k = 0; k < values->size(); ++k) {
    const Literal& value = *(*values)[k];
    if (config.json) {
      result.output += json_document("interpret", {{"function", json_string(function.name)},
                                                   {"result", format("{}", k)},
                                                   {"type", json_string(value.type().text())},
                                                   {"elements", elements_json(value)}});
      continue;
    }
    const std::string head = format("@{} result {}: {}", function.name, k, value.type().text());
    result.output +=
        format("{} ={}{}\n", head, value.type().rank() > 1 ? "\n" : " ", tensor_text(value));
  }
}

}  // namespace

Result<std::vector<const ir::Function*>> chosen_functions(const ir::Module& module,
                                                          const OptConfig& config,
                                                          Diagnostics& diagnostics) {
  std::vector<const ir::Function*> out;
  std::vector<std::string_view> known;
  const std::string_view wanted =
      std::string_view(config.function).substr(config.function.starts_with('@'));
  for (const auto& function : module.functions()) {
    if (function->kind != ir::FunctionKind::func) continue;
    known.push_back(function->name);
    if (wanted == function->name || (wanted.empty() && is_static(*function)))
      out.push_back(function.get());
  }
  if (!out.empty() && is_static(*out[0])) return out;
  if (!out.empty()) {
    diagnostics.error("opt.function",
                      format("@{} has symbolic dimensions; give them with --dims", wanted));
    return failure();
  }
  if (!wanted.empty()) {
    diagnostics.error("opt.function",
                      format("no func is called @{}{}", wanted, did_you_mean(wanted, known)));
  } else {
    diagnostics.error("opt.function",
                      known.empty() ? "the module has no func"
                                    : "every func has symbolic dimensions; give them with --dims");
  }
  return failure();
}

OptResult interpret_command(const OptConfig& config) {
  OptResult result;
  for (const Section& section : read_input(config, result)) {
    Diagnostics diagnostics;
    const std::unique_ptr<ir::Module> module = load_static(section, config, diagnostics);
    if (module != nullptr) {
      const Result<passes::Pipeline> pipeline = parse_pipeline(config, diagnostics);
      const bool ran =
          pipeline && passes::run(*pipeline, *module, diagnostics, {.verify_each = true});
      const auto functions = ran ? chosen_functions(*module, config, diagnostics) : failure();
      if (functions) {
        for (const ir::Function* function : *functions) {
          interpret_function(*module, *function, config, diagnostics, result);
        }
      }
    }
    report(diagnostics, config, result);
  }
  return result;
}

}  // namespace hyperion::tools

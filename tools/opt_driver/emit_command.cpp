// emit_command.cpp: `emit`: a module in the form that a stage of the compiler gives it. `hir` is
// after the pipeline; the other forms follow the default path of codegen/driver and show its module
// or text at their stage.
#include <algorithm>

#include "codegen/cpp/emit_cpp.hpp"
#include "codegen/driver/compile.hpp"
#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/print.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/input.hpp"

namespace hyperion::tools {
namespace {

struct Form {
  std::string_view name;
  codegen::Stage stage;
};
constexpr Form kForms[] = {{"groups", codegen::Stage::fused},
                           {"kernel", codegen::Stage::kernels},
                           {"llvm", codegen::Stage::llvm},
                           {"cpp", codegen::Stage::kernels},
                           {"asm", codegen::Stage::assembly}};

// The function to compile: the one named, or the module's last func, which can call all others.
Result<std::string> entry_of(const ir::Module& module, const OptConfig& config,
                             Diagnostics& diagnostics) {
  const auto functions = chosen_functions(module, config, diagnostics);
  if (!functions) return failure();
  return functions->back()->name;
}

void add_cpp(const ir::Module& kernels, Diagnostics& diagnostics, OptResult& result) {
  const StatusOr<std::string> text = codegen::emit_cpp(kernels);
  if (text)
    result.output += *text;
  else
    diagnostics.error("opt.compile", text.error().text());
}

bool has_func(const ir::Module& module) {
  return std::ranges::any_of(module.functions(),
                             [](const auto& f) { return f->kind == ir::FunctionKind::func; });
}

void emit_section(const Section& section, const codegen::Stage stage,
                  const codegen::CpuTarget& target, const OptConfig& config,
                  Diagnostics& diagnostics, OptResult& result) {
  const std::unique_ptr<ir::Module> module = load_static(section, config, diagnostics);
  const bool as_cpp = config.emit_as == "cpp";
  // Kernels written by hand, or dumped before, are there already.
  if (as_cpp && module != nullptr && !has_func(*module))
    return add_cpp(*module, diagnostics, result);
  const Result<std::string> entry =
      module == nullptr ? failure() : entry_of(*module, config, diagnostics);
  if (!entry) return;
  codegen::StageListener listener{.wants_assembly = stage == codegen::Stage::assembly};
  listener.module = [&](codegen::Stage reached, const ir::Module& shown) {
    if (reached == stage && as_cpp) return add_cpp(shown, diagnostics, result);
    if (reached == stage) result.output += ir::print(shown, {.locations = config.locations});
  };
  listener.text = [&](codegen::Stage reached, const std::string& shown) {
    if (reached == stage) result.output += shown;
  };
  const codegen::DriverOptions options{
      .target = target, .pipeline = config.pipeline, .fast = config.fast};
  const auto compiled = codegen::compile(*module, *entry, options, listener);
  if (!compiled)
    diagnostics.error("opt.compile", format("@{}: {}", *entry, compiled.error().text()));
}

}  // namespace

OptResult emit_command(const OptConfig& config) {
  if (config.emit_as == "hir") return run_command(config);
  std::vector<std::string_view> names{"hir"};
  for (const Form& form : kForms) names.push_back(form.name);
  const auto* form = std::ranges::find(kForms, std::string_view(config.emit_as), &Form::name);
  if (form == std::end(kForms)) {
    return {kExitUsage, "",
            format("error: cannot emit '{}'{}; there are {}\n", config.emit_as,
                   did_you_mean(config.emit_as, names), fmt::join(names, ", "))};
  }
  const StatusOr<codegen::CpuTarget> target = codegen::named_target(config.target);
  if (!target) return {kExitUsage, "", format("error: {}\n", target.error().text())};
  OptResult result;
  for (const Section& section : read_input(config, result)) {
    Diagnostics diagnostics;
    emit_section(section, form->stage, *target, config, diagnostics, result);
    report(diagnostics, config, result);
  }
  return result;
}

}  // namespace hyperion::tools

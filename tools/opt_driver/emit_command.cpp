// emit_command.cpp: `emit`: a module in the form that a stage of the compiler gives it. `hir` is
// after the pipeline; the other forms follow the default path of codegen/driver and show its module
// or text at their stage.
#include <algorithm>
#include <optional>

#include "codegen/cpp/emit_cpp.hpp"
#include "codegen/driver/compile.hpp"
#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "passes/pipelines.hpp"
#include "runtime/plan_text.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/input.hpp"
#include "tools/opt_driver/pass_report.hpp"

namespace hyperion::tools {
namespace {

struct Form {
  std::string_view name;
  codegen::Stage stage;
};
// A plan is what compiling gives, and no stage shows it.
constexpr std::string_view kPlan = "plan";
constexpr Form kForms[] = {{"groups", codegen::Stage::fused},
                           {"kernel", codegen::Stage::kernels},
                           {"llvm", codegen::Stage::source},
                           {"cuda", codegen::Stage::source},
                           {"cpp", codegen::Stage::kernels},
                           {"asm", codegen::Stage::assembly}};

// The function to compile: the one named, or the module's last func, which can call all others.
Result<std::string> entry_of(const ir::Module& module, const OptConfig& config,
                             Diagnostics& diagnostics) {
  const auto functions = chosen_functions(module, config, diagnostics);
  if (!functions) return failure();
  return functions->back()->name;
}

void add_cpp(const ir::Module& kernels, const OptConfig& config, Diagnostics& diagnostics,
             OptResult& result) {
  const StatusOr<std::string> text = codegen::emit_cpp(kernels);
  if (text)
    add_text("cpp", *text, config, result);
  else
    diagnostics.error("opt.compile", text.error().text());
}

// The passes in front of fusion: those of -p, or the default ones; up to --stop-after.
Result<std::string> pipeline_of(const OptConfig& config, Diagnostics& diagnostics) {
  OptConfig complete = config;
  if (config.pipeline.empty()) {
    complete.pipeline = (config.fast ? passes::fast_pipeline() : passes::strict_pipeline()).text();
  }
  const Result<passes::Pipeline> pipeline = parse_pipeline(complete, diagnostics);
  if (!pipeline) return failure();
  return pipeline->text();
}

// Why an option cannot be honoured by the form asked for; empty: all can. An option without effect
// would be taken for one that has been heard.
std::string refusal(const OptConfig& config) {
  const std::string& form = config.emit_as;
  const bool is_module = form == "hir" || form == "groups" || form == "kernel";
  if (!is_module && config.users) return format("--users is for modules; {} is none", form);
  if (!is_module && config.defaults) return format("--defaults is for modules; {} is none", form);
  if (config.fast && !config.pipeline.empty()) return "--fast and -p both choose the passes";
  if (form != "hir") return {};
  if (config.fast) return "--fast chooses the default passes; hir is what those of -p give";
  if (config.target != "host") return "--target has no effect on hir";
  if (!config.function.empty()) return "hir is the whole module, not one function";
  return {};
}

bool has_func(const ir::Module& module) {
  return std::ranges::any_of(module.functions(),
                             [](const auto& f) { return f->kind == ir::FunctionKind::func; });
}

// Without a stage, the plan.
void emit_section(const Section& section, const std::optional<codegen::Stage> stage,
                  const codegen::Target& target, const OptConfig& config,
                  Diagnostics& diagnostics, OptResult& result) {
  const std::unique_ptr<ir::Module> module = load_static(section, config, diagnostics);
  const bool as_cpp = config.emit_as == "cpp";
  // Kernels written by hand, or dumped before, are there already.
  if (as_cpp && module != nullptr && !has_func(*module))
    return add_cpp(*module, config, diagnostics, result);
  const Result<std::string> entry =
      module == nullptr ? failure() : entry_of(*module, config, diagnostics);
  const Result<std::string> pipeline = entry ? pipeline_of(config, diagnostics) : failure();
  if (!pipeline) return;
  PassReport passes(config);
  codegen::StageListener listener{.wants_assembly = stage == codegen::Stage::assembly,
                                  .wants_code = false,
                                  .instrumentations = passes.instrumentations()};
  listener.module = [&](codegen::Stage reached, const ir::Module& shown) {
    if (reached == stage && as_cpp) return add_cpp(shown, config, diagnostics, result);
    if (reached == stage) add_text(config.emit_as, module_text(shown, config), config, result);
  };
  listener.text = [&](codegen::Stage reached, const std::string& shown) {
    if (reached == stage) add_text(config.emit_as, shown, config, result);
  };
  const codegen::DriverOptions options{
      .target = target, .pipeline = *pipeline, .fast = config.fast};
  const auto compiled = codegen::compile(*module, *entry, options, listener);
  result.messages += passes.text();
  if (compiled && config.emit_as == kPlan)
    add_text(kPlan, runtime::plan_text(*compiled), config, result);
  if (!compiled)
    diagnostics.error("opt.compile", format("@{}: {}", *entry, compiled.error().text()));
}

// A GPU's architecture, for CUDA C++ by itself the newest; else a processor.
StatusOr<codegen::Target> named_any_target(const OptConfig& config) {
  if (config.emit_as == "cuda" && config.target == "host") return codegen::cuda_target("sm_90a");
  if (config.emit_as == "cuda" || config.target.starts_with("sm_")) return codegen::cuda_target(config.target);
  return codegen::named_target(config.target);
}

}  // namespace

OptResult emit_command(const OptConfig& config) {
  std::vector<std::string_view> names{"hir", kPlan};
  for (const Form& form : kForms) names.push_back(form.name);
  const auto* form = std::ranges::find(kForms, std::string_view(config.emit_as), &Form::name);
  if (form == std::end(kForms) && config.emit_as != "hir" && config.emit_as != kPlan) {
    return {kExitUsage, "",
            format("error: cannot emit '{}'{}; there are {}\n", config.emit_as,
                   did_you_mean(config.emit_as, names), fmt::join(names, ", "))};
  }
  if (const std::string why = refusal(config); !why.empty()) {
    return {kExitUsage, "", format("error: emit: {}\n", why)};
  }
  if (config.emit_as == "hir") return run_command(config);
  const StatusOr<codegen::Target> target = named_any_target(config);
  if (!target) return {kExitUsage, "", format("error: {}\n", target.error().text())};
  OptResult result;
  for (const Section& section : read_input(config, result)) {
    Diagnostics diagnostics;
    const bool is_stage = form != std::end(kForms);
    emit_section(section, is_stage ? std::optional(form->stage) : std::nullopt, *target, config,
                 diagnostics, result);
    report(diagnostics, config, result);
  }
  return result;
}

}  // namespace hyperion::tools

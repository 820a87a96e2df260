// run_command.cpp: `run`: modules in, passes over them, modules out.
#include <algorithm>

#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/print.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/input.hpp"
#include "tools/opt_driver/pass_report.hpp"

namespace hyperion::tools {
namespace {

// Runs the pipeline over one module; its text goes to the output.
void run_section(const Section& section, const OptConfig& config, OptResult& result) {
  Diagnostics diagnostics;
  const std::unique_ptr<ir::Module> module = load_static(section, config, diagnostics);
  if (module == nullptr) return report(diagnostics, config, result);
  const Result<passes::Pipeline> pipeline = parse_pipeline(config, diagnostics);
  if (!pipeline) return report(diagnostics, config, result);
  PassReport passes(config);
  const Result<passes::Changed> done =
      passes::run(*pipeline, *module, diagnostics,
                  {.instrumentations = passes.instrumentations(), .verify_each = true});
  report(diagnostics, config, result);
  result.messages += passes.text();
  if (done) add_text("hir", module_text(*module, config), config, result);
}

}  // namespace

std::string module_text(const ir::Module& module, const OptConfig& config) {
  return ir::print(
      module, {.locations = config.locations, .defaults = config.defaults, .users = config.users});
}

void add_text(std::string_view form, const std::string& text, const OptConfig& config,
              OptResult& result) {
  if (config.json) {
    result.output +=
        json_document("emit", {{"form", json_string(form)}, {"text", json_string(text)}});
    return;
  }
  const bool is_module = text.starts_with("hyperion ");
  if (is_module && !result.output.empty()) result.output += "// -----\n";
  result.output += text;
}

Result<passes::Pipeline> parse_pipeline(const OptConfig& config, Diagnostics& diagnostics) {
  // The pipeline is a text of its own, so messages quote it instead of the module.
  Diagnostics own;
  Result<passes::Pipeline> whole = passes::Pipeline::parse(config.pipeline, own);
  if (!whole) {
    diagnostics = own;
    return failure();
  }
  if (config.stop_after.empty()) return whole;
  passes::Pipeline part;
  std::vector<std::string> names;
  for (const passes::Step& step : whole->steps()) {
    names.push_back(step.is_phase() ? "@" + step.phase : std::string(step.pass->name));
    if (step.is_phase())
      part.phase(step.phase);
    else
      part.add(step.pass->name, step.options);
    if (names.back() == config.stop_after) return part;
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  diagnostics.error("pass.unknown",
                    format("the pipeline has no step '{}' to stop after{}", config.stop_after,
                           did_you_mean(config.stop_after, known)));
  return failure();
}

OptResult run_command(const OptConfig& config) {
  OptResult result;
  for (const Section& section : read_input(config, result)) run_section(section, config, result);
  return result;
}

}  // namespace hyperion::tools

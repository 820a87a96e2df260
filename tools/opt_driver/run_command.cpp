// run_command.cpp: `run`: modules in, passes over them, modules out.
#include <algorithm>

#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/print.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/input.hpp"

namespace hyperion::tools {
namespace {

// Prints the module after each pass, or each pass that changed it, to the messages.
class StepPrinter : public passes::Instrumentation {
 public:
  StepPrinter(const OptConfig& config, std::string& out) : config_(config), out_(out) {}

  Result<> after_pass(const passes::PassEvent& event, passes::Changed changed,
                      Diagnostics&) override {
    const bool is_changed = changed == passes::Changed::yes;
    if (config_.print_each == PrintEach::nothing) return {};
    out_ += format("// after {}{}\n", event.step.text(), is_changed ? "" : " (unchanged)");
    if (is_changed || config_.print_each == PrintEach::all) {
      out_ += ir::print(event.module, {.locations = config_.locations});
    }
    return {};
  }

 private:
  const OptConfig& config_;
  std::string& out_;
};

// Runs the pipeline over one module; its text goes to the output.
void run_section(const Section& section, const OptConfig& config, OptResult& result) {
  Diagnostics diagnostics;
  const std::unique_ptr<ir::Module> module = load_static(section, config, diagnostics);
  if (module == nullptr) return report(diagnostics, config, result);
  const Result<passes::Pipeline> pipeline = parse_pipeline(config, diagnostics);
  if (!pipeline) return report(diagnostics, config, result);
  StepPrinter printer(config, result.messages);
  passes::Timing timing;
  const Result<passes::Changed> done =
      passes::run(*pipeline, *module, diagnostics,
                  {.instrumentations = {&printer, &timing}, .verify_each = true});
  report(diagnostics, config, result);
  if (config.timing) result.messages += timing.table();
  if (!done) return;
  if (!result.output.empty()) result.output += "// -----\n";
  result.output += ir::print(
      *module, {.locations = config.locations, .defaults = config.defaults, .users = config.users});
}

}  // namespace

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

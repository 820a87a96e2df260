#include "tools/opt_driver/checker.hpp"

#include <algorithm>

#include "codegen/driver/run.hpp"
#include "codegen/driver/target_of.hpp"
#include "ir/interpreter.hpp"
#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "ir/text/print.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/tensor_text.hpp"

namespace hyperion::tools {
namespace {

// Where compiled code runs, and what it is compiled for.
struct CompiledSite {
  codegen::RunSite site;
  codegen::DriverOptions options;
};

StatusOr<CompiledSite> open_site(const std::string& device) {
  if (device.empty()) return CompiledSite{codegen::RunSite::host(), {}};
  HYP_TRY(codegen::RunSite site, codegen::RunSite::open(device));
  codegen::DriverOptions options;
  HYP_TRY(options.target, codegen::target_of(site.device));
  // Bits are compared, so sums are taken in the interpreter's order.
  if (auto* gpu = std::get_if<codegen::CudaTarget>(&options.target)) gpu->bitwise = true;
  return CompiledSite{std::move(site), std::move(options)};
}

}  // namespace

Checker::Checker(const ir::Module& module, const OptConfig& config) : config_(config) {
  Diagnostics diagnostics;
  const auto functions = chosen_functions(module, config, diagnostics);
  if (!functions) {
    refusal_ = diagnostics.all()[0].message;
    return;
  }
  for (const ir::Function* function : *functions) {
    std::vector<LiteralPtr> arguments = random_arguments(function->parameter_types(), config.seed);
    StatusOr<std::vector<LiteralPtr>> results = ir::interpret(module, *function, arguments);
    if (results)
      baselines_.push_back({function->name, std::move(arguments), std::move(*results)});
    else
      refusal_ = format("@{}: {}", function->name, results.error().text());
  }
}

Difference Checker::measure(const ir::Module& module, const Engine& engine) const {
  Difference worst;
  for (const Baseline& baseline : baselines_) {
    const ir::Function* function = module.find(baseline.function);
    // A function that a pass removed or turned into a kernel has no result to compare.
    if (function == nullptr || function->kind != ir::FunctionKind::func) continue;
    const auto results = engine(module, *function, baseline.arguments);
    if (!results)
      return {1, false, true, format("@{}: {}", baseline.function, results.error().text())};
    const Difference found = compare(baseline.results, *results, sense_, config_.rtol);
    const bool is_worse = !found.same_bits && (worst.same_bits || found.error > worst.error);
    worst.same_bits &= found.same_bits;
    if (is_worse) {
      worst.error = found.error;
      worst.where = format("@{}: {}", baseline.function, found.where);
    }
    worst.differs |= found.differs;
  }
  return worst;
}

void Checker::before_pass(const passes::PassEvent& event) {
  module_ = &event.module;
  rewrites_ = 0;
  latest_ = culprit_ = {};
  found_ = false;
}

void Checker::widen_sense(const passes::RewriteEvent& event) {
  const passes::Rule* rule = passes::find_rule(event.rule);
  if (rule == nullptr) return;
  for (ir::ValueId result : event.function.op(event.before).results) {
    sense_ = std::max(sense_, rule->tag(event.function.type(result).dtype()));
  }
}

// The rewrite is about to happen, so the module shows what the one before it did.
void Checker::rewritten(const passes::RewriteEvent& event) {
  if (config_.per_rewrite && !found_ && rewrites_ != 0 &&
      measure(*module_, ir::interpret).differs) {
    found_ = true;
    culprit_ = latest_;
  }
  ++rewrites_;
  widen_sense(event);
  if (!config_.per_rewrite) return;
  latest_ = {std::string(event.rule),
             ir::print_op(event.function, event.before, {.locations = false}), event.location(),
             rewrites_};
}

void Checker::add_row(const std::string& step, const std::string& rewrites,
                      const Difference& found) {
  const std::string verdict = found.differs     ? format("WRONG (rtol {})", config_.rtol)
                              : found.same_bits ? "same bits"
                                                : "ok";
  table_ +=
      format("  {:<24} {:>15}   max error {:<9.3g} {}\n", step, rewrites, found.error, verdict);
  rows_json_.push_back(json_object({{"step", json_string(step)},
                                    {"rewrites", format("{}", rewrites_)},
                                    {"max_error", json_number(found.error)},
                                    {"same_bits", found.same_bits ? "true" : "false"},
                                    {"differs", found.differs ? "true" : "false"}}));
}

Result<> Checker::compiled(const ir::Module& module, Diagnostics& diagnostics) {
  rewrites_ = 0;
  const StatusOr<CompiledSite> site = open_site(config_.device);
  if (!site) {
    diagnostics.error("opt.device", site.error().text());
    return failure();
  }
  const Difference found = measure(module, [&](const ir::Module& whole, const ir::Function& function,
                                               std::span<const LiteralPtr> arguments) {
    return codegen::run_compiled(whole, function.name, arguments, site->options, site->site);
  });
  add_row(config_.device.empty() ? "compiled code" : "compiled code, " + site->site.device.name(), "",
          found);
  if (!found.differs) return {};
  diagnostics.error("check.miscompile", "compiled code gives other numbers than the interpreter")
      .note(Location(), format("{} (seed {})", found.where, config_.seed));
  return failure();
}

Result<> Checker::after_pass(const passes::PassEvent& event, passes::Changed,
                             Diagnostics& diagnostics) {
  const Difference found = measure(event.module, ir::interpret);
  const std::string name = event.step.text();
  add_row(name, format("{} rewrites", rewrites_), found);
  if (!found.differs) return {};
  if (!config_.per_rewrite || rewrites_ == 0) {
    diagnostics.error("check.miscompile", format("numbers change in pass '{}'", name))
        .note(Location(), format("{} (seed {})", found.where, config_.seed));
    return failure();
  }
  if (!found_) culprit_ = latest_;
  diagnostics
      .error("check.miscompile",
             format("numbers change at rewrite {} of {} in '{}': {}", culprit_.number, rewrites_,
                    name, culprit_.rule),
             {}, culprit_.location)
      .note(Location(), "it replaced: " + culprit_.op)
      .note(Location(), format("{} (seed {})", found.where, config_.seed));
  return failure();
}

}  // namespace hyperion::tools

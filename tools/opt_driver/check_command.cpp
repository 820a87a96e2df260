// check_command.cpp: `check` and `gradcheck`: does a pipeline keep the numbers, and are derivatives
// right?
#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "passes/autodiff/gradcheck.hpp"
#include "tools/opt_driver/checker.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/input.hpp"
#include "tools/opt_driver/tensor_text.hpp"

namespace hyperion::tools {
namespace {

// "n = 7, m = 8" on a line of its own.
std::string sizes_text(const OptConfig& config) {
  std::string out;
  for (const auto& [name, sizes] : config.dims)
    out += format("{}{} = {}", out.empty() ? "" : ", ", name, sizes[0]);
  return out + "\n";
}

std::string sizes_json(const OptConfig& config) {
  std::string out;
  for (const auto& [name, sizes] : config.dims)
    out += format("{}{}: {}", out.empty() ? "" : ", ", json_string(name), sizes[0]);
  return "{" + out + "}";
}

void check_section(const Section& section, const OptConfig& config, Diagnostics& diagnostics,
                   OptResult& result) {
  const std::unique_ptr<ir::Module> module = load_static(section, config, diagnostics);
  if (module == nullptr) return;
  const Result<passes::Pipeline> pipeline = parse_pipeline(config, diagnostics);
  if (!pipeline) return;
  Checker checker(*module, config);
  if (!checker.has_functions()) {
    diagnostics.error("opt.interpret", "nothing to check: " + checker.refusal());
    return;
  }
  // A failure has been reported by the checker or by the pass; both are in `diagnostics`.
  const bool kept = passes::run(*pipeline, *module, diagnostics,
                                {.instrumentations = {&checker}, .verify_each = true})
                        .has_value();
  if (kept && config.compiled) (void)checker.compiled(*module, diagnostics);
  if (config.json) {
    result.output += json_document(
        "check", {{"dims", sizes_json(config)}, {"passes", json_array(checker.rows_json())}});
  } else {
    result.output += checker.table();
  }
}

// Differences need f64: in f32 the error of a difference hides the error of a derivative.
bool all_f64(const ir::Function& function, Diagnostics& diagnostics) {
  for (Type type : function.parameter_types()) {
    if (!is_floating(type.dtype()) || type.dtype() == DType::f64) continue;
    diagnostics.error("opt.function", format("@{}: gradcheck needs f64 parameters, got {}",
                                             function.name, type.text()));
    return false;
  }
  return true;
}

void gradcheck_section(const Section& section, const OptConfig& config, Diagnostics& diagnostics,
                       OptResult& result) {
  const std::unique_ptr<ir::Module> module = load_static(section, config, diagnostics);
  if (module == nullptr) return;
  const auto functions = chosen_functions(*module, config, diagnostics);
  if (!functions) return;
  std::vector<std::string> rows;
  for (const ir::Function* function : *functions) {
    const Result<std::vector<LiteralPtr>> arguments = arguments_for(*function, config, diagnostics);
    if (!arguments || !all_f64(*function, diagnostics)) return;
    const StatusOr<passes::GradcheckReport> checked = passes::gradcheck(
        *module, *function, *arguments, {.order = config.order, .seed = config.seed + 1});
    if (!checked) {
      diagnostics.error("opt.interpret", format("@{}: {}", function->name, checked.error().text()));
      continue;
    }
    rows.push_back(json_object({{"function", json_string(function->name)},
                                {"forward_error", json_number(checked->forward_error)},
                                {"reverse_error", json_number(checked->reverse_error)},
                                {"passed", checked->passed ? "true" : "false"}}));
    if (!config.json) {
      result.output +=
          format("  @{:<22} forward error {:<9.3g} reverse error {:<9.3g} {}\n", function->name,
                 checked->forward_error, checked->reverse_error, checked->passed ? "ok" : "WRONG");
    }
    if (!checked->passed) {
      diagnostics.error("gradcheck.mismatch", format("@{}: {}", function->name, checked->message));
    }
  }
  if (config.json) {
    result.output +=
        json_document("gradcheck", {{"dims", sizes_json(config)}, {"functions", json_array(rows)}});
  }
}

template <class Body>
OptResult for_each_section(const OptConfig& config, Body body) {
  OptResult result;
  for (const Section& section : read_input(config, result)) {
    const std::vector<OptConfig> sizes = each_size(config);
    for (const OptConfig& one : sizes) {
      if (sizes.size() > 1 && !config.json) result.output += sizes_text(one);
      Diagnostics diagnostics;
      body(section, one, diagnostics, result);
      report(diagnostics, one, result);
    }
  }
  return result;
}

}  // namespace

OptResult check_command(const OptConfig& config) { return for_each_section(config, check_section); }

OptResult gradcheck_command(const OptConfig& config) {
  return for_each_section(config, gradcheck_section);
}

}  // namespace hyperion::tools

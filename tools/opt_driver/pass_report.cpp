#include "tools/opt_driver/pass_report.hpp"

#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "ir/text/print.hpp"

namespace hyperion::tools {
namespace {

std::string timing_json(const passes::Timing& timing) {
  std::vector<std::string> rows;
  for (const passes::Timing::Row& row : timing.rows()) {
    rows.push_back(json_object({{"pass", json_string(row.step)},
                                {"milliseconds", json_number(row.milliseconds)},
                                {"rewrites", format("{}", row.rewrites)},
                                {"changed", row.changed ? "true" : "false"}}));
  }
  return json_document("timing", {{"passes", json_array(rows)}});
}

}  // namespace

Result<> PassReport::Printer::after_pass(const passes::PassEvent& event, passes::Changed changed,
                                         Diagnostics&) {
  if (config_.print_each == PrintEach::nothing) return {};
  const bool is_changed = changed == passes::Changed::yes;
  const std::string module = is_changed || config_.print_each == PrintEach::all
                                 ? ir::print(event.module, {.locations = config_.locations})
                                 : std::string();
  text_ += config_.json ? json_document("step", {{"after", json_string(event.step.text())},
                                                 {"changed", is_changed ? "true" : "false"},
                                                 {"module", json_string(module)}})
                        : format("// after {}{}\n{}", event.step.text(),
                                 is_changed ? "" : " (unchanged)", module);
  return {};
}

std::string PassReport::text() const {
  if (!config_.timing) return printer_.text();
  return printer_.text() + (config_.json ? timing_json(timing_) : timing_.table());
}

}  // namespace hyperion::tools

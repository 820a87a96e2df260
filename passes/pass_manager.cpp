#include "passes/pass_manager.hpp"

#include <algorithm>
#include <chrono>

#include "ir/support/format.hpp"

namespace hyperion::passes {
namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Passes hear one listener; every instrumentation hears the events.
class Broadcast : public RewriteListener {
 public:
  explicit Broadcast(const std::vector<Instrumentation*>& all) : all_(all) {}
  void rewritten(const RewriteEvent& event) override {
    for (Instrumentation* instrumentation : all_) instrumentation->rewritten(event);
  }

 private:
  const std::vector<Instrumentation*>& all_;
};

Result<Changed> run_step(const PassEvent& event, ir::Module& module, RewriteListener* listener,
                         Diagnostics& diagnostics, const RunOptions& options) {
  const std::vector<Instrumentation*>& hooks = options.instrumentations;
  for (Instrumentation* hook : hooks) hook->before_pass(event);
  set_check_context(format("pass {}", event.step.text()));
  PassContext context{.diagnostics = diagnostics, .pass = event.step.pass->name, .listener = listener};
  Result<Changed> changed = event.step.pass->run(module, event.step.options, context);
  set_check_context({});
  if (changed && *changed == Changed::yes && options.verify_each && !ir::verify(module, diagnostics)) {
    changed = failure();
  }
  if (!changed) {
    for (Instrumentation* hook : hooks) hook->failed_pass(event);
    return failure();
  }
  for (auto hook = hooks.rbegin(); hook != hooks.rend(); ++hook) {
    HYP_TRY_VOID((*hook)->after_pass(event, *changed, diagnostics));
  }
  return changed;
}

}  // namespace

Pipeline& Pipeline::add(std::string_view name, ir::Attributes options) {
  const PassDefinition* pass = find_pass(name);
  HYP_CHECK(pass != nullptr, format("no pass is called '{}'", name));
  ir::Attributes complete = pass->default_options();
  for (const auto& [option, value] : options) {
    const ir::AttributeSpec* spec = pass->option(option);
    HYP_CHECK(spec != nullptr && spec->kind == ir::kind_of(value), format("{} has no such option '{}'", name, option));
    complete.set(spec->name, value);
  }
  steps_.push_back({.pass = pass, .options = std::move(complete)});
  return *this;
}

Pipeline& Pipeline::phase(std::string_view name) {
  steps_.push_back({.phase = std::string(name)});
  return *this;
}

Pipeline& Pipeline::append(const Pipeline& other) {
  steps_.insert(steps_.end(), other.steps_.begin(), other.steps_.end());
  return *this;
}

bool Pipeline::insert_at(std::string_view phase, const Pipeline& steps) {
  const auto found = std::ranges::find_if(steps_, [&](const Step& s) { return s.is_phase() && s.phase == phase; });
  if (found == steps_.end()) return false;
  steps_.insert(found + 1, steps.steps_.begin(), steps.steps_.end());
  return true;
}

Result<Changed> run(const Pipeline& pipeline, ir::Module& module, Diagnostics& diagnostics,
                    const RunOptions& options) {
  Broadcast broadcast(options.instrumentations);
  RewriteListener* listener = options.instrumentations.empty() ? nullptr : &broadcast;
  Changed changed = Changed::no;
  std::size_t index = 0;
  for (const Step& step : pipeline.steps()) {
    if (step.is_phase()) {
      for (Instrumentation* hook : options.instrumentations) hook->reached_phase(step.phase, module);
      continue;
    }
    const PassEvent event{step, index++, module};
    if (!std::ranges::all_of(options.instrumentations, [&](Instrumentation* h) { return h->should_run(event); })) {
      continue;
    }
    HYP_TRY(const Changed step_changed, run_step(event, module, listener, diagnostics, options));
    changed |= step_changed;
  }
  return changed;
}

void Timing::before_pass(const PassEvent& event) {
  rows_.push_back({.step = event.step.text()});
  rewrites_ = 0;
  started_ns_ = now_ns();
}

Result<> Timing::after_pass(const PassEvent&, Changed changed, Diagnostics&) {
  Row& row = rows_.back();
  row.milliseconds = static_cast<double>(now_ns() - started_ns_) / 1e6;
  row.rewrites = rewrites_;
  row.changed = changed == Changed::yes;
  return {};
}

std::string Timing::table() const {
  std::size_t width = 5;
  double total = 0;
  for (const Row& row : rows_) width = std::max(width, row.step.size()), total += row.milliseconds;
  std::string out = format("{:<{}}  {:>10}  {:>8}\n", "pass", width, "ms", "rewrites");
  for (const Row& row : rows_) {
    out += format("{:<{}}  {:>10.3f}  {:>8}{}\n", row.step, width, row.milliseconds, row.rewrites,
                  row.changed ? "" : "  (unchanged)");
  }
  return out + format("{:<{}}  {:>10.3f}\n", "total", width, total);
}

}  // namespace hyperion::passes

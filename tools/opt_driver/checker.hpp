// checker.hpp: which pass, or which rewrite, changed the numbers.
//
// The functions of the module are interpreted once at the start, on seeded arguments, and again
// after each pass; with per_rewrite also at each rewrite. The first step after which a result
// differs beyond the tolerance is the culprit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "passes/pass_manager.hpp"
#include "tools/opt_driver/compare.hpp"
#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

class Checker : public passes::Instrumentation {
 public:
  // Interprets the functions that `config` names. Functions that the interpreter refuses are left
  // out.
  Checker(const ir::Module& module, const OptConfig& config);

  bool has_functions() const { return !baselines_.empty(); }
  const std::string& refusal() const { return refusal_; }  // why the last function was left out
  const std::string& table() const { return table_; }      // a line for each pass

  void before_pass(const passes::PassEvent& event) override;
  void rewritten(const passes::RewriteEvent& event) override;
  Result<> after_pass(const passes::PassEvent& event, passes::Changed changed,
                      Diagnostics& diagnostics) override;

 private:
  struct Baseline {
    std::string function;
    std::vector<LiteralPtr> arguments, results;
  };
  struct Rewrite {
    std::string rule, op;
    Location location;
    std::size_t number = 0;
  };
  Difference measure(const ir::Module& module) const;
  void widen_sense(const passes::RewriteEvent& event);

  const OptConfig& config_;
  std::vector<Baseline> baselines_;
  std::string refusal_, table_;
  const ir::Module* module_ = nullptr;          // while a pass runs
  passes::Tag sense_ = passes::Tag::same_bits;  // what the rewrites so far allow together
  std::size_t rewrites_ = 0;
  Rewrite latest_;  // not yet measured
  Rewrite culprit_;
  bool found_ = false;
};

}  // namespace hyperion::tools

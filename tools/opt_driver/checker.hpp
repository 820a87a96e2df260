// checker.hpp: which pass, or which rewrite, changed the numbers.
//
// The functions of the module are interpreted once at the start, on seeded arguments, and again
// after each pass; with per_rewrite also at each rewrite. The first step after which a result
// differs beyond the tolerance is the culprit.
#pragma once

#include <functional>
#include <span>
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
  const std::vector<std::string>& rows_json() const { return rows_json_; }  // the same as objects

  // Compiles the module as it is and compares what the code gives on the device of `config`.
  Result<> compiled(const ir::Module& module, Diagnostics& diagnostics);

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
  // What computes a function of a module: the interpreter, or compiled code.
  using Engine = std::function<StatusOr<std::vector<LiteralPtr>>(
      const ir::Module&, const ir::Function&, std::span<const LiteralPtr>)>;
  Difference measure(const ir::Module& module, const Engine& engine) const;
  void add_row(const std::string& step, const std::string& rewrites, const Difference& found);
  void widen_sense(const passes::RewriteEvent& event);

  const OptConfig& config_;
  std::vector<Baseline> baselines_;
  std::string refusal_, table_;
  std::vector<std::string> rows_json_;
  const ir::Module* module_ = nullptr;          // while a pass runs
  passes::Tag sense_ = passes::Tag::same_bits;  // what the rewrites so far allow together
  std::size_t rewrites_ = 0;
  Rewrite latest_;  // not yet measured
  Rewrite culprit_;
  bool found_ = false;
};

}  // namespace hyperion::tools

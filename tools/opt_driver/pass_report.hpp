// pass_report.hpp: what --print and --timing say about the run of a pipeline. Internal to the
// driver.
#pragma once

#include <string>
#include <vector>

#include "passes/pass_manager.hpp"
#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

// Give instrumentations() to the run, then take text(): the module after each pass, or after each
// that changed it, and a table of times; as `config` asks. REQUIRES: `config` lives longer.
class PassReport {
 public:
  explicit PassReport(const OptConfig& config) : config_(config), printer_(config) {}
  PassReport(const PassReport&) = delete;
  PassReport& operator=(const PassReport&) = delete;

  std::vector<passes::Instrumentation*> instrumentations() { return {&printer_, &timing_}; }
  std::string text() const;

 private:
  class Printer : public passes::Instrumentation {
   public:
    explicit Printer(const OptConfig& config) : config_(config) {}
    Result<> after_pass(const passes::PassEvent& event, passes::Changed changed,
                        Diagnostics&) override;
    const std::string& text() const { return text_; }

   private:
    const OptConfig& config_;
    std::string text_;
  };

  const OptConfig& config_;
  Printer printer_;
  passes::Timing timing_;
};

}  // namespace hyperion::tools

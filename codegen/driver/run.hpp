// run.hpp: compile a function, run it once, and give back its results: for tools and tests.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "codegen/driver/compile.hpp"
#include "ir/literal.hpp"
#include "runtime/instance.hpp"

namespace hyperion::codegen {

// Where code runs. The options' target must be the device's (target_of).
struct RunSite {
  std::shared_ptr<runtime::Instance> instance;
  runtime::Device device;

  static RunSite host(int threads = 1);
  // "cuda:0"; why there is none.
  static StatusOr<RunSite> open(std::string_view device);
};

// The compiled counterpart of ir::interpret(). The module is copied first. `threads` workers run it.
StatusOr<std::vector<LiteralPtr>> run_compiled(const ir::Module& module, const std::string& function,
                                               std::span<const LiteralPtr> arguments, const DriverOptions& options = {},
                                               int threads = 1);
StatusOr<std::vector<LiteralPtr>> run_compiled(const ir::Module& module, const std::string& function,
                                               std::span<const LiteralPtr> arguments, const DriverOptions& options,
                                               const RunSite& site);

}  // namespace hyperion::codegen

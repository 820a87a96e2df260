// run.hpp: compile a function, run it once, and give back its results: for tools and tests.
#pragma once

#include <span>
#include <vector>

#include "codegen/driver/compile.hpp"
#include "ir/literal.hpp"

namespace hyperion::codegen {

// The compiled counterpart of ir::interpret(). The module is copied first. `threads` workers run it.
StatusOr<std::vector<LiteralPtr>> run_compiled(const ir::Module& module, const std::string& function,
                                               std::span<const LiteralPtr> arguments, const DriverOptions& options = {},
                                               int threads = 1);

}  // namespace hyperion::codegen

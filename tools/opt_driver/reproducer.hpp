// reproducer.hpp: what is left behind when an invariant of the compiler breaks: one .hir file with
// the module, the command that broke on it, and what broke. It is a golden test without expected
// output (golden.hpp), so that `hyperion-opt test` runs the same command on the same input again.
#pragma once

#include <string>

#include "ir/support/check_handler.hpp"
#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

// "mlp.fuse.repro.hir" for a failure in the pass fuse while working on some/mlp.hir.
std::string reproducer_name(const OptConfig& config, const CheckFailure& failure);

// REQUIRES: the text of the module is in `config.input_text`.
std::string reproducer_text(const OptConfig& config, const CheckFailure& failure);

// From now on, a broken invariant writes a reproducer of `config` into the current folder, says so
// on standard error, and ends the process with kExitInternal. For main(): REQUIRES that `config`
// lives as long as the process.
void exit_with_reproducer(const OptConfig& config);

// The same for what was thrown and never caught.
[[noreturn]] void fail_internally(const OptConfig& config, const CheckFailure& failure);

}  // namespace hyperion::tools

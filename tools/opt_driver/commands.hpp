// commands.hpp: one function a subcommand; opt_driver.cpp chooses. Internal to the driver.
#pragma once

#include <string>
#include <string_view>

#include "ir/module.hpp"
#include "passes/pass_manager.hpp"
#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

OptResult run_command(const OptConfig& config);
OptResult interpret_command(const OptConfig& config);
OptResult check_command(const OptConfig& config);
OptResult gradcheck_command(const OptConfig& config);
OptResult emit_command(const OptConfig& config);
OptResult list_command(const OptConfig& config);
OptResult explain_command(const OptConfig& config);
OptResult test_command(const OptConfig& config);

// The pipeline of `config`, up to and including its `stop_after`.
Result<passes::Pipeline> parse_pipeline(const OptConfig& config, Diagnostics& diagnostics);

// A module as `config` wants it printed.
std::string module_text(const ir::Module& module, const OptConfig& config);

// Adds what a stage of the compiler wrote to the output: as it is, modules separated so that they
// read back, or as a JSON document.
void add_text(std::string_view form, const std::string& text, const OptConfig& config,
              OptResult& result);

// The funcs that `config` names: one, or all that have static types. Reports an unknown name.
Result<std::vector<const ir::Function*>> chosen_functions(const ir::Module& module,
                                                          const OptConfig& config,
                                                          Diagnostics& diagnostics);

}  // namespace hyperion::tools

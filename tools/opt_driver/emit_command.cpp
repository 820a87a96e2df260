// emit_command.cpp: `emit`: a module after its pipeline, in the form that a stage of the compiler
// gives it.
#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/print.hpp"
#include "tools/opt_driver/commands.hpp"

namespace hyperion::tools {

OptResult emit_command(const OptConfig& config) {
  if (config.emit_as == "hir") return run_command(config);
  constexpr std::string_view forms[] = {"hir"};
  return {
      kExitUsage, "",
      format("error: cannot emit '{}'{}\n", config.emit_as, did_you_mean(config.emit_as, forms))};
}

}  // namespace hyperion::tools

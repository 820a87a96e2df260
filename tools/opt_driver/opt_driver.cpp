#include "tools/opt_driver/opt_driver.hpp"

#include "tools/opt_driver/commands.hpp"

namespace hyperion::tools {

OptResult execute(const OptConfig& config) {
  switch (config.command) {
    case OptCommand::run:
      return run_command(config);
    case OptCommand::interpret:
      return interpret_command(config);
    case OptCommand::check:
      return check_command(config);
    case OptCommand::gradcheck:
      return gradcheck_command(config);
    case OptCommand::emit:
      return emit_command(config);
    case OptCommand::list:
      return list_command(config);
    case OptCommand::explain:
      return explain_command(config);
    case OptCommand::test:
      return test_command(config);
  }
  return {kExitUsage, "", ""};
}

}  // namespace hyperion::tools

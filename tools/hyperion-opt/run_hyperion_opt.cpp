#include "tools/hyperion-opt/run_hyperion_opt.hpp"

#include <unistd.h>

#include <iostream>

#include "tools/opt_driver/cli.hpp"

namespace hyperion::tools {

int run_hyperion_opt(int argc, char** argv) {
  const auto parsed = parse_command_line({argv + 1, argv + argc});
  const auto* config = std::get_if<OptConfig>(&parsed);
  if (config != nullptr && config->input == "-" && config->paths.empty() &&
      config->subject.empty() && isatty(STDIN_FILENO)) {
    std::cerr
        << "reading a module from the terminal; end it with Ctrl-D, or see hyperion-opt --help\n";
  }
  const OptResult result = config != nullptr ? execute(*config) : std::get<OptResult>(parsed);
  std::cout << result.output << std::flush;
  std::cerr << result.messages;
  return std::cout ? result.exit_code : kExitUnreadable;
}

}  // namespace hyperion::tools

#include "tools/hyperion-opt/run_hyperion_opt.hpp"

#include <unistd.h>

#include <iostream>
#include <iterator>

#include "tools/opt_driver/cli.hpp"
#include "tools/opt_driver/colour.hpp"
#include "tools/opt_driver/reproducer.hpp"

namespace hyperion::tools {
namespace {

// Standard input can be read once, and a reproducer needs it too.
void read_standard_input(OptConfig& config) {
  if (config.input != "-" || !config.paths.empty() || !config.subject.empty()) return;
  if (isatty(STDIN_FILENO)) {
    std::cerr
        << "reading a module from the terminal; end it with Ctrl-D, or see hyperion-opt --help\n";
  }
  config.input_text = std::string(std::istreambuf_iterator<char>(std::cin), {});
}

OptResult run(OptConfig& config) {
  read_standard_input(config);
  exit_with_reproducer(config);
  try {
    return execute(config);
  } catch (const std::exception& error) {
    std::cerr << "hyperion-opt: internal error: " << error.what() << "\n";
    fail_internally(config, {"no exception leaves the driver", error.what(), ""});
  }
}

}  // namespace

int run_hyperion_opt(int argc, char** argv) {
  auto parsed = parse_command_line({argv + 1, argv + argc});
  auto* config = std::get_if<OptConfig>(&parsed);
  const OptResult result = config != nullptr ? run(*config) : std::get<OptResult>(parsed);
  std::cout << result.output << std::flush;
  std::cerr << (wants_colour() ? in_colour(result.messages) : result.messages);
  return std::cout ? result.exit_code : kExitUnreadable;
}

}  // namespace hyperion::tools

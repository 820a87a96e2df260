// cli.hpp: a command line as an OptConfig. The only file of the driver that knows CLI11.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

// `arguments` without the program's name. A command line that is to be answered at once (--help, a
// mistake) gives the answer instead of a configuration.
std::variant<OptConfig, OptResult> parse_command_line(std::vector<std::string> arguments);

}  // namespace hyperion::tools

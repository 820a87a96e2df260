// cli.hpp: the command line of `hyperion`.
//
// Exit codes: 0 done; 1 it could not be done, with one message on standard error; 2 the command
// line is wrong.
#pragma once

namespace hyperion::tools {

// Parses, runs, reports. Never throws.
int run_hyperion(int argc, char** argv);

}  // namespace hyperion::tools

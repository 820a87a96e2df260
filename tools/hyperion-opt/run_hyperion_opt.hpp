// run_hyperion_opt.hpp: hyperion-opt's main(), apart from the name, so that an archive's one program can be it too.
#pragma once

namespace hyperion::tools {

// Reads standard input or files, writes results to standard output and messages to standard error; the exit code.
int run_hyperion_opt(int argc, char** argv);

}  // namespace hyperion::tools

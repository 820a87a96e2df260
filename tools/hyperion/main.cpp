// hyperion: trains and evaluates models, and shows what this machine offers.
#include "tools/hyperion/cli.hpp"

int main(int argc, char** argv) { return hyperion::tools::run_hyperion(argc, argv); }

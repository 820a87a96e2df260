// hyperion-opt: the compiler's workbench. Everything is in tools/opt_driver.
#include "tools/hyperion-opt/run_hyperion_opt.hpp"

int main(int argc, char** argv) { return hyperion::tools::run_hyperion_opt(argc, argv); }

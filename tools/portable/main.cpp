// portable: hyperion and hyperion-opt as one program, for archives. Nine tenths of each is LLVM, which is then there
// once: half the bytes to download. The name by which it is called (hyperion-opt is a link) says which of them it is.
#include <filesystem>

#include "tools/hyperion-opt/run_hyperion_opt.hpp"
#include "tools/hyperion/cli.hpp"

int main(int argc, char** argv) {
  const bool is_opt = argc > 0 && std::filesystem::path(argv[0]).filename() == "hyperion-opt";
  return is_opt ? hyperion::tools::run_hyperion_opt(argc, argv)
                : hyperion::tools::run_hyperion(argc, argv);
}

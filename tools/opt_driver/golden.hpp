// golden.hpp: golden tests in one file: commands, input and expected output together.
//
//   // RUN: run -p dce     one or more; words as in a shell, without the program and the file
//   hyperion 1             the input, also readable without this runner
//   module @m { ... }
//   // EXPECT              one block for each RUN, in order; "(exit 1)" when the code is not 0
//   //| hyperion 1         standard output, then standard error
//
// A line of the input may end in `// expect-error: dot.c2`: then the errors of parsing and
// verifying are exactly those. Beyond the goldens, every input that loads is checked for the round
// trip, every command for determinism, and every `run` with passes for its numbers, by interpreting
// before and after.
#pragma once

#include <string>
#include <vector>

#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

struct GoldenTest {
  struct Run {
    std::string command;
    std::string expected;  // text of the block, or nothing if the file has none yet
    int exit_code = 0;
  };
  std::string name;  // of the file, as messages show it
  std::string input;
  std::vector<Run> runs;
};

GoldenTest read_golden(std::string name, const std::string& text);
std::string write_golden(const GoldenTest& test);

// The RUN line with which a file gives the command of `config` to its module.
std::string golden_command(const OptConfig& config);

// What is wrong with the test, empty if nothing. With `update`, the blocks of `test` become what
// the commands gave, and only the other checks can fail.
std::string run_golden(GoldenTest& test, bool update);

}  // namespace hyperion::tools

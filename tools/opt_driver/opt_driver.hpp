// opt_driver.hpp: what hyperion-opt does, as a library: a plain record goes in, two texts and an
// exit code come out.
//
// Nothing here prints, exits or keeps state, so the golden runner, the playground and other tools
// call the same driver. cli.hpp fills the record from a command line.
//
// Thread safety: all functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hyperion::tools {

// Exit codes of the tool. 70 is sysexits' EX_SOFTWARE.
inline constexpr int kExitGood = 0;
inline constexpr int kExitAnswerIsNo = 1;  // errors, a mismatch, a difference
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreadable = 3;  // a file or plugin
inline constexpr int kExitInternal = 70;

// "hyperion-opt 0.1.0 (hir 1)"
extern const std::string_view kOptVersion;

enum class OptCommand : std::uint8_t {
  run,
  interpret,
  check,
  gradcheck,
  emit,
  list,
  explain,
  test
};
enum class PrintEach : std::uint8_t { nothing, changed, all };

struct OptConfig {
  OptCommand command = OptCommand::run;

  std::string input = "-";  // a path; "-" is standard input
  std::optional<std::string>
      input_text;          // instead of reading; `input` is then only the name in messages
  std::string pipeline;    // "canonicalize, cse"; empty: none
  std::string stop_after;  // the name of a pass or @phase after which the pipeline stops
  PrintEach print_each = PrintEach::nothing;
  bool timing = false;

  bool locations = true;  // how modules print
  bool defaults = false;
  bool users = false;
  bool json = false;  // everything printed is JSON documents (ir/support/json.hpp)

  std::string function;                // @name; empty: every func without symbolic dimensions
  std::vector<std::string> arguments;  // elements as in `constant`; missing ones are random
  // Of symbolic dimensions. Commands that compare numbers run with each of several sizes, the
  // others take one.
  std::map<std::string, std::vector<std::int64_t>> dims;
  std::uint64_t seed = 0;
  double rtol = 1e-5;
  bool per_rewrite = false;
  bool compiled = false;  // check the compiled code too
  std::string device;     // where it runs, as "cuda:1"; empty: on the host
  int order = 1;          // gradcheck

  std::string emit_as = "hir";
  std::string target = "host";
  bool fast = false;               // policy: rules that hold over the reals may apply
  std::string subject;             // of list and explain
  std::vector<std::string> paths;  // of test
  bool update = false;

  std::vector<std::string> words;  // the command line without program and input, for reproducers
};

struct OptResult {
  int exit_code = kExitGood;
  std::string output;    // for standard output: the result and nothing else
  std::string messages;  // for standard error
};

OptResult execute(const OptConfig& config);

}  // namespace hyperion::tools

#include "tools/opt_driver/golden.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "ir/support/format.hpp"
#include "ir/text/round_trip.hpp"
#include "tools/opt_driver/cli.hpp"
#include "tools/opt_driver/input.hpp"

namespace hyperion::tools {
namespace {

constexpr std::string_view kRun = "// RUN: ";
constexpr std::string_view kExpect = "// EXPECT";
constexpr std::string_view kOutput = "//|";
constexpr std::string_view kExpectError = "// expect-error: ";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Words as a shell would see them, as far as quotes go.
std::vector<std::string> words_of(const std::string& command) {
  std::vector<std::string> words;
  bool open = false;
  char quote = 0;
  for (char c : command) {
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      if (!open) words.emplace_back();
      open = true;
    } else if (c == quote && quote != 0) {
      quote = 0;
    } else if (c == ' ' && quote == 0) {
      open = false;
    } else {
      if (!open) words.emplace_back();
      open = true;
      words.back() += c;
    }
  }
  return words;
}

// The command gets the file's name as its first argument, and the input as text. REQUIRES: it
// begins with a subcommand.
OptResult run_command_line(const GoldenTest& test, const std::string& command, OptConfig* used) {
  std::vector<std::string> words = words_of(command);
  const bool reads_input = words[0] != "list" && words[0] != "explain" && words[0] != "test";
  if (reads_input) words.insert(words.begin() + 1, test.name);
  std::variant<OptConfig, OptResult> parsed = parse_command_line(std::move(words));
  if (auto* answer = std::get_if<OptResult>(&parsed)) return *answer;
  OptConfig config = std::get<OptConfig>(std::move(parsed));
  config.input = test.name;
  config.input_text = test.input;
  if (used != nullptr) *used = config;
  return execute(config);
}

std::string first_difference(const std::string& expected, const std::string& got) {
  const std::vector<std::string> a = lines_of(expected), b = lines_of(got);
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string x = i < a.size() ? a[i] : "<end>", y = i < b.size() ? b[i] : "<end>";
    if (x != y)
      return format("  line {} of the output\n    expected: {}\n    got:      {}\n", i + 1, x, y);
  }
  return "  the output differs in its last line end\n";
}

using Places = std::set<std::pair<std::uint32_t, std::string>>;

std::string list(const Places& places) {
  std::string out;
  for (const auto& [line, id] : places) out += format(" {}:{}", line, id);
  return out.empty() ? " none" : out;
}

// The errors of the sections against the expect-error comments, and the round trip of the sections
// without errors.
std::string check_sections(const GoldenTest& test) {
  Places expected, got;
  const std::vector<std::string> lines = lines_of(test.input);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t at = lines[i].find(kExpectError);
    if (at != std::string::npos) expected.emplace(i + 1, lines[i].substr(at + kExpectError.size()));
  }
  Diagnostics separators;
  const Result<std::vector<Section>> sections = split_sections(test.name, test.input, separators);
  if (!sections) return {};  // its message is in the golden text
  std::string defects;
  for (const Section& section : *sections) {
    Diagnostics diagnostics;
    const std::unique_ptr<ir::Module> module = load(section, diagnostics);
    for (const Diagnostic& one : diagnostics.all()) {
      if (one.severity == Severity::error) got.emplace(one.range.line, one.id);
    }
    if (module != nullptr) defects += ir::round_trip_defect(*module);
  }
  if (!expected.empty() && expected != got) {
    defects += format("  expected errors:{}\n  got:            {}\n", list(expected), list(got));
  }
  return defects;
}

std::string check_numbers(const OptConfig& config) {
  if (config.command != OptCommand::run || config.pipeline.empty()) return {};
  OptConfig check = config;
  check.command = OptCommand::check;
  check.per_rewrite = true;
  check.json = false;
  const OptResult result = execute(check);
  return result.messages.find("[check.miscompile]") == std::string::npos ? std::string()
                                                                         : result.messages;
}

std::string check_run(GoldenTest& test, GoldenTest::Run& run, bool update) {
  OptConfig used;
  const OptResult result = run_command_line(test, run.command, &used);
  const OptResult again = run_command_line(test, run.command, nullptr);
  const std::string text = result.output + result.messages;
  std::string defects;
  if (text != again.output + again.messages) defects += "  two runs of the same command differ\n";
  defects += check_numbers(used);
  if (update) {
    run.expected = text;
    run.exit_code = result.exit_code;
    return defects;
  }
  if (run.exit_code != result.exit_code) {
    defects += format("  exit code {}, expected {}\n", result.exit_code, run.exit_code);
  }
  if (run.expected != text) defects += first_difference(run.expected, text);
  return defects;
}

}  // namespace

std::string golden_command(const OptConfig& config) {
  std::string out(kRun.substr(0, kRun.size() - 1));
  for (const std::string& word : config.words) {
    const bool is_plain = word.find_first_of(" '\"") == std::string::npos && !word.empty();
    const char quote = word.find('\'') == std::string::npos ? '\'' : '"';
    out += is_plain ? " " + word : format(" {0}{1}{0}", quote, word);
  }
  return out;
}

GoldenTest read_golden(std::string name, const std::string& text) {
  GoldenTest test{.name = std::move(name), .input = {}, .runs = {}};
  std::size_t block = 0;  // how many EXPECT lines have been seen
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with(kRun))
      test.runs.push_back({.command = line.substr(kRun.size()), .expected = {}});
    if (line.starts_with(kExpect) && !line.starts_with(kExpectError)) {
      if (++block > test.runs.size()) continue;
      const std::size_t code = line.find("(exit ");
      test.runs[block - 1].exit_code =
          code == std::string::npos ? 0 : std::atoi(line.c_str() + code + 6);
    } else if (block == 0) {
      test.input += line + "\n";
    } else if (line.starts_with(kOutput) && block <= test.runs.size()) {
      test.runs[block - 1].expected +=
          line.substr(std::min(kOutput.size() + 1, line.size())) + "\n";
    }
  }
  return test;
}

std::string write_golden(const GoldenTest& test) {
  std::string out = test.input;
  for (const GoldenTest::Run& run : test.runs) {
    out += format("{}{}\n", kExpect, run.exit_code == 0 ? "" : format(" (exit {})", run.exit_code));
    for (const std::string& line : lines_of(run.expected)) {
      out += format("{}{}{}\n", kOutput, line.empty() ? "" : " ", line);
    }
  }
  return out;
}

std::string run_golden(GoldenTest& test, bool update) {
  if (test.runs.empty()) return "  the file has no RUN line\n";
  for (const GoldenTest::Run& run : test.runs) {
    if (words_of(run.command).empty()) return "  a RUN line has no command\n";
  }
  std::string defects = check_sections(test);
  for (GoldenTest::Run& run : test.runs) {
    const std::string found = check_run(test, run, update);
    if (!found.empty()) defects += format("  RUN: {}\n{}", run.command, found);
  }
  return defects;
}

}  // namespace hyperion::tools

// Holds the pages of docs/ to their word: every command they show is run, and must print what they
// show.
//
//   ```hir name=x.hir        a file that the commands below it may name
//   ```console               lines `$ hyperion-opt ...`, each followed by what it prints: standard
//                            output, then standard error
//
// Three dots in shown output stand for any text, on a line of their own for any lines.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <vector>

#include "tests/support/source_path.hpp"
#include "tools/opt_driver/cli.hpp"

namespace hyperion {
namespace {

namespace fs = std::filesystem;
using testing_support::source_path;

constexpr std::string_view kPrompt = "$ hyperion-opt ";
constexpr std::string_view kFile = "```hir name=";

struct Command {
  int line = 0;
  std::string text;  // without the prompt
  std::string shown;
};

struct Page {
  std::map<std::string, std::string> files;
  std::vector<Command> commands;
  std::vector<std::string> mistakes;
};

Page read_page(const std::string& path) {
  Page page;
  std::ifstream in(path);
  std::string line;
  std::string* file = nullptr;
  bool in_console = false;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("```")) {
      const bool was_open = file != nullptr || in_console;
      file =
          !was_open && line.starts_with(kFile) ? &page.files[line.substr(kFile.size())] : nullptr;
      in_console = !was_open && line == "```console";
    } else if (file != nullptr) {
      *file += line + "\n";
    } else if (in_console && line.starts_with(kPrompt)) {
      page.commands.push_back({number, line.substr(kPrompt.size()), ""});
    } else if (in_console && page.commands.empty()) {
      page.mistakes.push_back("line " + std::to_string(number) + ": output of no command");
    } else if (in_console) {
      page.commands.back().shown += line + "\n";
    }
  }
  return page;
}

// As a shell would split them, as far as single quotes go.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  bool open = false, quoted = false;
  for (char c : text) {
    if (c == '\'') {
      quoted = !quoted;
      if (!open) words.emplace_back();
      open = true;
    } else if (c == ' ' && !quoted) {
      open = false;
    } else {
      if (!open) words.emplace_back();
      words.back() += c;
      open = true;
    }
  }
  return words;
}

// What the command prints; "> name" at its end makes that a file of the page instead.
std::string output_of(Page& page, const Command& command) {
  std::vector<std::string> words = words_of(command.text);
  std::string* file_written = nullptr;
  if (words.size() > 2 && words[words.size() - 2] == ">") {
    file_written = &page.files[words.back()];
    words.resize(words.size() - 2);
  }
  if (page.files.contains(words[0])) words.insert(words.begin(), "run");
  const auto parsed = tools::parse_command_line(words);
  if (const auto* answer = std::get_if<tools::OptResult>(&parsed)) {
    return answer->output + answer->messages;
  }
  auto config = std::get<tools::OptConfig>(parsed);
  if (const auto file = page.files.find(config.input); file != page.files.end()) {
    config.input_text = file->second;
  }
  const tools::OptResult result = tools::execute(config);
  if (file_written == nullptr) return result.output + result.messages;
  *file_written = result.output;
  return result.messages;
}

// Whether `text` is `shown`, where "..." in `shown` is any text: its parts occur one after another,
// the first at the beginning, the last at the end.
bool matches(const std::string& shown, const std::string& text) {
  constexpr std::string_view kAny = "...";
  std::size_t at = 0, begin = 0;
  for (;;) {
    const std::size_t end = shown.find(kAny, begin);
    const std::string part = shown.substr(begin, end == std::string::npos ? end : end - begin);
    if (end == std::string::npos) {
      if (begin == 0) return text == shown;
      return text.size() >= at + part.size() && text.ends_with(part);
    }
    const std::size_t found = text.find(part, at);
    if (found == std::string::npos || (begin == 0 && found != 0)) return false;
    at = found + part.size();
    begin = end + kAny.size();
  }
}

// A line of dots alone takes the ends of the lines around it along.
std::string joined_gaps(std::string shown) {
  if (shown.starts_with("...\n")) shown.erase(3, 1);
  for (std::size_t at = shown.find("\n...\n"); at != std::string::npos;
       at = shown.find("\n...\n")) {
    shown.replace(at, 5, "\n...");
  }
  return shown;
}

TEST(Pages, PrintWhatTheyShow) {
  const std::string folder = source_path("docs");
  if (!fs::exists(folder)) GTEST_SKIP() << "the documents are not here";
  std::size_t commands = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".md") continue;
    Page page = read_page(entry.path().string());
    EXPECT_TRUE(page.mistakes.empty()) << entry.path() << ": " << page.mistakes[0];
    for (const Command& command : page.commands) {
      const std::string output = output_of(page, command);
      EXPECT_TRUE(matches(joined_gaps(command.shown), output))
          << entry.path() << ":" << command.line << ": $ hyperion-opt " << command.text
          << "\nprints\n"
          << output << "but the page shows\n"
          << command.shown;
      ++commands;
    }
  }
  EXPECT_GT(commands, 0U);
}

TEST(Pages, DotsStandForAnyTextAndNothingElseDoes) {
  EXPECT_TRUE(matches("a\nb\n", "a\nb\n"));
  EXPECT_FALSE(matches("a\n", "a\nb\n"));
  EXPECT_FALSE(matches("a\nb\n", "a\n"));
  EXPECT_TRUE(matches(joined_gaps("a\n...\nd\n"), "a\nb\nc\nd\n"));
  EXPECT_TRUE(matches(joined_gaps("...\nd\n"), "a\nd\n"));
  EXPECT_TRUE(matches(joined_gaps("a\n...\n"), "a\nb\n"));
  EXPECT_TRUE(matches("x ... z\n", "x y z\n"));
  EXPECT_FALSE(matches(joined_gaps("b\n...\n"), "a\nb\n"));
  EXPECT_FALSE(matches(joined_gaps("a\n...\nc\n...\nb\n"), "a\nb\nc\n"));
}

}  // namespace
}  // namespace hyperion

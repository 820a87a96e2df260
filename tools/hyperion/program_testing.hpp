// program_testing.hpp: the program as a process of its own, for tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/temp_folder.hpp"

namespace hyperion::tools {

using Words = std::vector<std::string>;

// The program lies beside this test.
inline std::string program() {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "hyperion").string();
}

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Starts the program with its output in files of the folder.
inline pid_t start(const testing_support::TempFolder& folder, const Words& words) {
  const std::string name = program();
  const std::string out = folder.path("out.txt");
  const std::string err = folder.path("err.txt");
  const std::string cache = folder.path("cache");
  std::vector<char*> arguments{const_cast<char*>(name.c_str())};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    setenv("HYPERION_CACHE_DIR", cache.c_str(), 1);
    if (freopen(out.c_str(), "w", stdout) == nullptr) _exit(126);
    if (freopen(err.c_str(), "w", stderr) == nullptr) _exit(126);
    execv(name.c_str(), arguments.data());
    _exit(127);
  }
  return child;
}

struct Outcome {
  int exit_code = -1;  // -1: killed
  std::string out;
  std::string err;
};

inline Outcome finish(const testing_support::TempFolder& folder, pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(folder.path("out.txt")),
          contents(folder.path("err.txt"))};
}

inline Outcome run(const testing_support::TempFolder& folder, const Words& words) {
  return finish(folder, start(folder, words));
}

// A run of 30 steps that takes a fraction of a second.
inline Words small_training(Words more) {
  Words words{"train", "mnist", "--limit", "320", "--batch", "32"};
  if (std::ranges::find(more, "--epochs") == more.end()) words.insert(words.end(), {"--epochs", "3"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// From "epoch_records" on, which says every loss exactly and nothing about time.
inline std::string results(const std::string& json_path) {
  const std::string text = contents(json_path);
  const std::size_t at = text.find("\"epoch_records\"");
  EXPECT_NE(at, std::string::npos) << text;
  return at == std::string::npos ? "" : text.substr(at);
}

inline std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of('\n');
  const std::size_t begin = text.rfind('\n', end);
  return text.substr(begin + 1, end - begin);
}

}  // namespace hyperion::tools

// test_command.cpp: `test`: golden tests of whole folders.
#include <algorithm>
#include <filesystem>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/golden.hpp"

namespace hyperion::tools {
namespace {

namespace fs = std::filesystem;

// All .hir files at or below the paths, in one order on every machine.
StatusOr<std::vector<std::string>> golden_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      if (!fs::exists(path, error))
        return error_status(Code::not_found, "no such file or folder", path);
      files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
      if (entry.is_regular_file() && entry.path().extension() == ".hir")
        files.push_back(entry.path().string());
    }
  }
  std::ranges::sort(files);
  return files;
}

// Messages name the file without its folder, so that a golden text does not depend on where the
// tests lie.
std::string shown_name(const std::string& path) { return fs::path(path).filename().string(); }

struct Outcome {
  std::vector<std::string> failed, updated;  // JSON objects and strings
};

void test_file(const std::string& path, bool update, OptResult& result, Outcome& outcome) {
  const auto bytes = read_file(path);
  if (!bytes) {
    result.messages += format("error: {}\n", bytes.error().text());
    result.exit_code = kExitUnreadable;
    return;
  }
  const std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  GoldenTest test = read_golden(shown_name(path), text);
  const std::string defects = run_golden(test, update);
  if (!defects.empty()) {
    result.output += format("FAILED {}\n{}", path, defects);
    outcome.failed.push_back(
        json_object({{"file", json_string(path)}, {"defects", json_string(defects)}}));
    result.exit_code = kExitAnswerIsNo;
  }
  const std::string updated = write_golden(test);
  if (!update || updated == text) return;
  const auto written = write_file_atomically(path, std::as_bytes(std::span(updated)));
  if (written) outcome.updated.push_back(json_string(path));
  result.output +=
      written ? format("updated {}\n", path) : format("error: {}\n", written.error().text());
}

}  // namespace

OptResult test_command(const OptConfig& config) {
  const auto files = golden_files(config.paths);
  if (!files) return {kExitUnreadable, "", format("error: {}\n", files.error().text())};
  OptResult result;
  Outcome outcome;
  for (const std::string& path : *files) test_file(path, config.update, result, outcome);
  result.output += format("{} golden tests, {} failed\n", files->size(), outcome.failed.size());
  if (config.json) {
    result.output = json_document("test", {{"files", format("{}", files->size())},
                                           {"failed", json_array(outcome.failed)},
                                           {"updated", json_array(outcome.updated)}});
  }
  if (files->empty()) result.exit_code = kExitAnswerIsNo;
  return result;
}

}  // namespace hyperion::tools

// Every diagnostic that a user can meet has a golden file that shows it, and an explanation.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "ir/op_definition.hpp"
#include "tests/support/source_path.hpp"
#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion {
namespace {

namespace fs = std::filesystem;

// Ids as messages show them, "[dot.c2]", in the golden texts below tests/error; and those that
// tests of the driver and of passes provoke with a pass, op or rule that is wrong on purpose, which
// no command line can name.
std::set<std::string> shown_ids() {
  std::set<std::string> ids = {"check.miscompile", "gradcheck.mismatch"};
  // Rules come from our own sources; passes/simplify/{canonicalize,rules}_test.cpp write wrong ones
  // on purpose.
  ids.insert({"pass.limit", "rule.syntax"});
  // No text reaches these: the parser reports an unknown callee first, windows of rank 9 have no
  // type to begin with, and the input channels of conv_input_gradient are computed from the
  // weights.
  ids.insert({"call.c1", "overlap_add.c5", "conv_input_gradient.c4"});
  for (const auto& entry :
       fs::recursive_directory_iterator(testing_support::source_path("tests/error"))) {
    if (entry.path().extension() != ".hir") continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("//|")) continue;
      const bool is_report =
          line.find("error: ") != std::string::npos || line.find("warning: ") != std::string::npos;
      const std::size_t begin = line.rfind('[');
      if (is_report && line.ends_with(']'))
        ids.insert(line.substr(begin + 1, line.size() - begin - 2));
    }
  }
  return ids;
}

std::vector<std::string> all_ids() {
  std::vector<std::string> ids;
  for (const DiagnosticInfo& info : diagnostic_catalogue()) ids.emplace_back(info.id);
  for (const ir::OpDefinition* op : ir::all_ops()) {
    for (const ir::ConstraintSpec& one : op->constraints)
      ids.push_back(std::string(op->name) + "." + std::string(one.id));
  }
  return ids;
}

TEST(Diagnostics, EveryIdHasAGoldenFile) {
  const std::set<std::string> shown = shown_ids();
  // Constraints that ops share word for word are checked by the same code.
  std::set<std::string_view> shown_rules;
  for (const ir::OpDefinition* op : ir::all_ops()) {
    for (const ir::ConstraintSpec& one : op->constraints) {
      if (shown.contains(std::string(op->name) + "." + std::string(one.id))) shown_rules.insert(one.rule);
    }
  }
  std::string missing;
  for (const DiagnosticInfo& info : diagnostic_catalogue()) {
    if (!shown.contains(std::string(info.id))) missing += " " + std::string(info.id);
  }
  for (const ir::OpDefinition* op : ir::all_ops()) {
    for (const ir::ConstraintSpec& one : op->constraints) {
      const std::string id = std::string(op->name) + "." + std::string(one.id);
      if (!shown.contains(id) && !shown_rules.contains(one.rule)) missing += " " + id;
    }
  }
  EXPECT_EQ(missing, "") << "add tests/error/ID.hir, or a section to tests/error/ops/OP.hir";
}

TEST(Diagnostics, EveryShownIdExists) {
  std::set<std::string> known;
  for (const std::string& id : all_ids()) known.insert(id);
  for (const std::string& id : shown_ids()) EXPECT_TRUE(known.contains(id)) << id;
}

TEST(Diagnostics, EveryIdHasAnExplanation) {
  for (const DiagnosticInfo& info : diagnostic_catalogue()) {
    EXPECT_FALSE(info.summary.empty() || info.explanation.empty()) << info.id;
  }
  for (const std::string& id : all_ids()) {
    tools::OptConfig config;
    config.command = tools::OptCommand::explain;
    config.subject = id;
    const tools::OptResult page = tools::execute(config);
    EXPECT_EQ(page.exit_code, 0) << page.messages;
    EXPECT_TRUE(page.output.starts_with(id)) << page.output;
  }
}

}  // namespace
}  // namespace hyperion

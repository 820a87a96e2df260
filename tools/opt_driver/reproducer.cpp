#include "tools/opt_driver/reproducer.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "tools/opt_driver/golden.hpp"

namespace hyperion::tools {
namespace {

const OptConfig* running = nullptr;

// "fuse" of "pass fuse{max_ops=16}"; empty when no pass ran.
std::string pass_name(std::string_view context) {
  constexpr std::string_view kPass = "pass ";
  if (!context.starts_with(kPass)) return {};
  const std::string_view rest = context.substr(kPass.size());
  const auto end = std::ranges::find_if(
      rest, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_'; });
  return {rest.begin(), end};
}

// A file's text may be gone or unreadable by now; then the reproducer says where it was.
std::string input_of(const OptConfig& config) {
  if (config.input_text) return *config.input_text;
  const auto bytes = read_file(config.input);
  if (!bytes) return format("// the input was {}\n", config.input);
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

// Commands on a module leave a module behind; the others are short enough to type again.
bool has_module(const OptConfig& config) {
  return config.command != OptCommand::list && config.command != OptCommand::explain &&
         config.command != OptCommand::test;
}

}  // namespace

std::string reproducer_name(const OptConfig& config, const CheckFailure& failure) {
  const std::string stem =
      config.input == "-" ? "stdin" : std::filesystem::path(config.input).stem().string();
  const std::string pass = pass_name(failure.context);
  return format("{}{}{}.repro.hir", stem, pass.empty() ? "" : ".", pass);
}

std::string reproducer_text(const OptConfig& config, const CheckFailure& failure) {
  return format("{}\n// {}: {}{}{} ({})\n{}", golden_command(config), kOptVersion, failure.message,
                failure.context.empty() ? "" : ", during ", failure.context, failure.condition,
                input_of(config));
}

void fail_internally(const OptConfig& config, const CheckFailure& failure) {
  if (has_module(config)) {
    const std::string name = reproducer_name(config, failure);
    const std::string text = reproducer_text(config, failure);
    const auto written = write_file_atomically(name, std::as_bytes(std::span(text)));
    if (written) {
      std::fprintf(stderr, "  note: written %s; please attach this file to your issue\n",
                   name.c_str());
    } else {
      std::fprintf(stderr, "  note: no reproducer: %s\n", written.error().text().c_str());
    }
  }
  std::_Exit(kExitInternal);
}

void exit_with_reproducer(const OptConfig& config) {
  running = &config;
  set_check_handler([](const CheckFailure& failure) { fail_internally(*running, failure); });
}

}  // namespace hyperion::tools

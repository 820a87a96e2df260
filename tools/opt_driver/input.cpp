#include "tools/opt_driver/input.hpp"

#include <algorithm>
#include <iostream>
#include <iterator>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "ir/text/parse.hpp"
#include "passes/specialize.hpp"

namespace hyperion::tools {
namespace {

constexpr std::string_view kMarker = "// -----";

// A comment of nothing but dashes: someone meant the marker.
bool is_near_miss(std::string_view line) {
  if (!line.starts_with("//")) return false;
  std::string rest;
  for (char c : line.substr(2)) {
    if (c != ' ' && c != '\t' && c != '\r') rest += c;
  }
  return rest.size() >= 2 && std::ranges::all_of(rest, [](char c) { return c == '-'; });
}

StatusOr<std::string> read_text(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  auto bytes = read_file(path);
  if (!bytes) return std::unexpected(bytes.error());
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

}  // namespace

Result<std::vector<Section>> split_sections(const std::string& name, const std::string& text,
                                            Diagnostics& diagnostics) {
  std::vector<Section> sections{{name, {}}};
  diagnostics.set_source(name, text);
  std::uint32_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    ++line_number;
    if (line == kMarker) {
      sections.push_back({name, std::string(line_number, '\n')});
    } else if (is_near_miss(line)) {
      diagnostics.error("parse.separator",
                        format("modules are separated by '{}', not '{}'", kMarker, line),
                        {line_number, 1, static_cast<std::uint32_t>(line.size())});
      return failure();
    } else {
      sections.back().text += std::string(line) + "\n";
    }
    begin = end + 1;
  }
  return sections;
}

std::vector<Section> read_input(const OptConfig& config, OptResult& result) {
  const std::string name = config.input == "-" ? "<stdin>" : config.input;
  const StatusOr<std::string> text =
      config.input_text ? StatusOr<std::string>(*config.input_text) : read_text(config.input);
  if (!text) {
    result = {kExitUnreadable, "", format("error: {}\n", text.error().text())};
    return {};
  }
  Diagnostics diagnostics;
  const Result<std::vector<Section>> sections = split_sections(name, *text, diagnostics);
  if (sections) return *sections;
  report(diagnostics, config, result);
  return {};
}

std::unique_ptr<ir::Module> load(const Section& section, Diagnostics& diagnostics) {
  Result<std::unique_ptr<ir::Module>> module = ir::parse(section.text, section.name, diagnostics);
  if (!module || !ir::verify(**module, diagnostics)) return nullptr;
  return std::move(*module);
}

std::vector<OptConfig> each_size(const OptConfig& config) {
  std::vector<OptConfig> out{config};
  for (const auto& [name, values] : config.dims) {
    std::vector<OptConfig> wider;
    for (const OptConfig& one : out) {
      for (std::int64_t value : values) wider.push_back(one), wider.back().dims[name] = {value};
    }
    out = std::move(wider);
  }
  return out;
}

std::unique_ptr<ir::Module> load_static(const Section& section, const OptConfig& config,
                                        Diagnostics& diagnostics) {
  std::unique_ptr<ir::Module> module = load(section, diagnostics);
  if (module == nullptr || config.dims.empty()) return module;
  std::map<std::string, std::int64_t> sizes;
  for (const auto& [name, values] : config.dims) sizes[name] = values.at(0);
  passes::PassContext context{.diagnostics = diagnostics, .pass = "specialize"};
  return passes::specialize(*module, sizes, context) ? std::move(module) : nullptr;
}

void report(const Diagnostics& diagnostics, const OptConfig& config, OptResult& result) {
  if (diagnostics.all().empty()) return;
  result.messages += config.json ? diagnostics.render_json() : diagnostics.render();
  if (diagnostics.has_errors()) result.exit_code = kExitAnswerIsNo;
}

}  // namespace hyperion::tools

#include "ir/support/diagnostics.hpp"

#include <algorithm>

#include "ir/support/format.hpp"
#include "ir/support/json.hpp"

namespace hyperion {
namespace {

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::remark: return "remark";
    case Severity::warning: return "warning";
    case Severity::error: return "error";
  }
  return "error";
}

}  // namespace

void Diagnostics::set_source(std::string name, std::string text) {
  source_name_ = std::move(name);
  source_lines_.clear();
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    source_lines_.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

Diagnostic& Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::error) ++error_count_;
  items_.push_back(std::move(diagnostic));
  return items_.back();
}

Diagnostic& Diagnostics::error(std::string_view id, std::string message, SourceRange range,
                               Location location) {
  return add({.severity = Severity::error,
              .id = std::string(id),
              .message = std::move(message),
              .range = range,
              .location = location,
              .marks = {},
              .notes = {},
              .hint = format("hyperion-opt explain {}", id)});
}

Diagnostic& Diagnostics::warning(std::string_view id, std::string message, Location location) {
  return add({.severity = Severity::warning, .id = std::string(id), .message = std::move(message),
              .range = {}, .location = location, .marks = {}, .notes = {}, .hint = {}});
}

Diagnostic& Diagnostics::remark(std::string_view id, std::string message, Location location) {
  return add({.severity = Severity::remark, .id = std::string(id), .message = std::move(message),
              .range = {}, .location = location, .marks = {}, .notes = {}, .hint = {}});
}

void Diagnostics::clear() {
  items_.clear();
  error_count_ = 0;
}

std::string Diagnostics::quote(SourceRange range, const std::vector<SourceRange>& marks) const {
  if (range.line == 0 || range.line > source_lines_.size()) return {};
  const std::string& line = source_lines_[range.line - 1];
  std::string underline;
  const auto put = [&](SourceRange mark) {
    if (mark.line != range.line || mark.column == 0) return;
    const std::size_t end = mark.column - 1 + std::max(mark.length, 1u);
    if (underline.size() < end) underline.resize(end, ' ');
    for (std::size_t i = mark.column - 1; i < end; ++i) underline[i] = '~';
    underline[mark.column - 1] = '^';
  };
  if (marks.empty()) put(range);
  for (const SourceRange& mark : marks) put(mark);
  return format("{}\n{}\n", line, underline);
}

std::string Diagnostics::render(const Diagnostic& d) const {
  std::string out;
  if (d.range.line != 0) {
    out += format("{}:{}:{}: ", source_name_, d.range.line, d.range.column);
  } else if (d.location.known()) {
    out += format("{}: ", d.location.first());
  }
  out += format("{}: {} [{}]\n", severity_name(d.severity), d.message, d.id);
  out += quote(d.range, d.marks);
  for (const Note& note : d.notes) {
    if (note.range.line != 0) {
      out += format("{}:{}:{}: note: {}\n", source_name_, note.range.line, note.range.column,
                    note.message);
      out += quote(note.range, {});
    } else if (note.location.known()) {
      out += format("{}: note: {}\n", note.location.first(), note.message);
    } else {
      out += format("  note: {}\n", note.message);
    }
  }
  if (d.range.line != 0 && d.location.known()) {
    out += format("{}: note: recorded here\n", d.location.first());
  }
  if (!d.hint.empty()) out += format("  hint: {}\n", d.hint);
  return out;
}

std::string Diagnostics::render() const {
  std::string out;
  for (const Diagnostic& diagnostic : items_) out += render(diagnostic);
  return out;
}

std::string Diagnostics::render_json() const {
  std::vector<std::string> reports;
  for (const Diagnostic& d : items_) {
    const bool in_text = d.range.line != 0;
    std::string notes;
    for (const Note& note : d.notes) notes += (notes.empty() ? "" : ", ") + json_string(note.message);
    reports.push_back(json_object({{"severity", json_string(severity_name(d.severity))},
                                   {"id", json_string(d.id)},
                                   {"message", json_string(d.message)},
                                   {"file", json_string(in_text ? source_name_ : std::string(d.location.file_name()))},
                                   {"line", format("{}", in_text ? d.range.line : d.location.line())},
                                   {"column", format("{}", in_text ? d.range.column : d.location.column())},
                                   {"notes", "[" + notes + "]"}}));
  }
  return json_document("diagnostics", {{"diagnostics", json_array(reports)}});
}

const std::vector<DiagnosticInfo>& diagnostic_catalogue() {
  static const std::vector<DiagnosticInfo> catalogue = {
#define HYP_DIAGNOSTIC(id, summary, explanation) {id, summary, explanation},
#include "ir/support/diagnostics.def"
#undef HYP_DIAGNOSTIC
  };
  return catalogue;
}

}  // namespace hyperion

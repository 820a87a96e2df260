// diagnostics.hpp: what the compiler tells its user, with a place, an id, labels, notes and a hint.
//
//   mlp.hir:4:14: error: dot: contracted dimensions differ: 784 and 512 [dot.c2]
//       %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]} : f32[32, 10]
//                ^~  ^~
//   mlp.hir:3:35: note: %w: f32[512, 10] is defined here
//     hint: hyperion-opt explain dot.c2
//
// Style: lower-case start, no full stop, both values in the message, the narrowest culprit marked. Ids of op
// constraints come from the op's definition ("dot.c2"); all others are listed in diagnostics.def with their
// explanation. Thread safety: one Diagnostics belongs to one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/support/location.hpp"
#include "ir/support/result.hpp"

namespace hyperion {

enum class Severity : std::uint8_t { remark, warning, error };

// Part of one source line: columns are 1-based, `length` at least 1.
struct SourceRange {
  std::uint32_t line = 0;  // 0: no place in the input text
  std::uint32_t column = 0;
  std::uint32_t length = 1;
};

struct Note {
  SourceRange range;   // in the input text, or
  Location location;   // a place the user wrote; both may be absent
  std::string message;
};

struct Diagnostic {
  Severity severity = Severity::error;
  std::string id;       // "dot.c2", "parse.unknown_op"
  std::string message;  // "dot: contracted dimensions differ: 784 and 512"
  SourceRange range;    // in the input text, when there is one
  Location location;    // the user's line otherwise
  std::vector<SourceRange> marks;  // on the line of `range`
  std::vector<Note> notes;
  std::string hint;

  Diagnostic& mark(SourceRange where) { return marks.push_back(where), *this; }
  Diagnostic& note(Location where, std::string text) {
    return notes.push_back({{}, where, std::move(text)}), *this;
  }
  Diagnostic& note(SourceRange where, std::string text) {
    return notes.push_back({where, {}, std::move(text)}), *this;
  }
};

class Diagnostics {
 public:
  // Names the text that ranges refer to, so that render() can quote its lines.
  void set_source(std::string name, std::string text);

  // The returned reference is valid until the next report.
  Diagnostic& error(std::string_view id, std::string message, SourceRange range = {},
                    Location location = {});
  Diagnostic& warning(std::string_view id, std::string message, Location location = {});
  Diagnostic& remark(std::string_view id, std::string message, Location location = {});

  const std::vector<Diagnostic>& all() const { return items_; }
  // The latest report, for a caller that can add notes to it. REQUIRES: there is one.
  Diagnostic& latest() { return items_.back(); }
  bool has_errors() const { return error_count_ != 0; }
  std::size_t error_count() const { return error_count_; }
  void clear();

  // Everything, in the order reported, for a terminal without colour.
  std::string render() const;
  std::string render(const Diagnostic& diagnostic) const;
  // The document hyperion.diagnostics/1; one object per diagnostic: severity, id, message, file, line, column, notes.
  std::string render_json() const;

 private:
  Diagnostic& add(Diagnostic diagnostic);
  std::string quote(SourceRange range, const std::vector<SourceRange>& marks) const;

  std::string source_name_ = "<input>";
  std::vector<std::string> source_lines_;
  std::vector<Diagnostic> items_;
  std::size_t error_count_ = 0;
};

// The catalogue behind `explain`: every id that is not an op constraint.
struct DiagnosticInfo {
  std::string_view id;
  std::string_view summary;
  std::string_view explanation;
};
const std::vector<DiagnosticInfo>& diagnostic_catalogue();

}  // namespace hyperion

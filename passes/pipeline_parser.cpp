// The text of pipelines: the grammar at the top of pass_manager.hpp.
#include <algorithm>
#include <cctype>
#include <charconv>

#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "passes/pass_manager.hpp"

namespace hyperion::passes {
namespace {

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == '+';
}

// The value as the option's kind wants it, or nothing.
std::optional<ir::AttributeValue> read_value(std::string_view text, ir::AttributeKind kind) {
  const char* end = text.data() + text.size();
  if (kind == ir::AttributeKind::boolean) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
  }
  if (kind == ir::AttributeKind::integer) {
    std::int64_t number = 0;
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stopped != end) return std::nullopt;
    return number;
  }
  if (kind == ir::AttributeKind::real) {
    double number = 0;
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stopped != end) return std::nullopt;
    return number;
  }
  return std::string(text);
}

class Parser {
 public:
  Parser(std::string_view text, Diagnostics& diagnostics) : text_(text), diagnostics_(diagnostics) {}

  Result<std::vector<Step>> run() {
    std::vector<Step> steps;
    skip_spaces();
    while (at_ < text_.size()) {
      HYP_TRY(Step step, parse_step());
      steps.push_back(std::move(step));
      skip_spaces();
      if (at_ == text_.size()) break;
      if (!take(',')) return unexpected_character("',' or the end");
      skip_spaces();
      if (at_ == text_.size()) return unexpected_character("a pass after ','");
    }
    return steps;
  }

 private:
  Result<Step> parse_step() {
    const bool is_phase = take('@');
    const std::size_t begin = at_;
    const std::string_view name = word();
    if (name.empty()) return unexpected_character("the name of a pass");
    Step step;
    if (is_phase) {
      step.phase = name;
      return step;
    }
    step.pass = find_pass(name);
    if (step.pass == nullptr) {
      std::vector<std::string_view> names;
      for (const PassDefinition* pass : all_passes()) names.push_back(pass->name);
      return report("pass.unknown", format("no pass is called '{}'{}", name, did_you_mean(name, names)), begin);
    }
    step.options = step.pass->default_options();
    skip_spaces();
    if (take('{')) HYP_TRY_VOID(parse_options(step));
    return step;
  }

  Result<> parse_options(Step& step) {
    skip_spaces();
    while (!take('}')) {
      const std::size_t begin = at_;
      const std::string_view name = word();
      if (name.empty()) return unexpected_character("an option or '}'");
      const ir::AttributeSpec* spec = step.pass->option(name);
      if (spec == nullptr) {
        std::vector<std::string_view> names;
        for (const ir::AttributeSpec& option : step.pass->options) names.push_back(option.name);
        return report("pass.option", format("{} has no option '{}'{}", step.pass->name, name, did_you_mean(name, names)),
                      begin);
      }
      skip_spaces();
      if (!take('=')) return unexpected_character("'='");
      skip_spaces();
      HYP_TRY_VOID(parse_value(step, *spec));
      skip_spaces();
      if (take(',')) skip_spaces();
    }
    return {};
  }

  Result<> parse_value(Step& step, const ir::AttributeSpec& spec) {
    const std::size_t begin = at_;
    std::string value;
    if (take('"')) {
      const std::size_t close = text_.find('"', at_);
      if (close == std::string_view::npos) return report("pass.syntax", "a text is not closed", begin);
      value = text_.substr(at_, close - at_);
      at_ = close + 1;
    } else {
      value = word();
      if (value.empty()) return unexpected_character("a value");
    }
    std::optional<ir::AttributeValue> read = read_value(value, spec.kind);
    if (!read) {
      return report("pass.option", format("option '{}' of {} cannot be '{}'", spec.name, step.pass->name, value), begin);
    }
    step.options.set(spec.name, *std::move(read));
    return {};
  }

  std::string_view word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word_character(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  std::unexpected<Failure> unexpected_character(std::string_view expected) {
    const std::string found = at_ == text_.size() ? "the end" : format("'{}'", text_[at_]);
    return report("pass.syntax", format("expected {}, found {}", expected, found), at_);
  }
  // Marks [begin, where we are).
  std::unexpected<Failure> report(std::string_view id, std::string message, std::size_t begin) {
    diagnostics_.set_source("<pipeline>", std::string(text_));
    const auto line = 1 + std::ranges::count(text_.substr(0, begin), '\n');
    const std::size_t newline = text_.substr(0, begin).rfind('\n');
    const std::size_t column = newline == std::string_view::npos ? begin : begin - newline - 1;
    diagnostics_.error(id, std::move(message),
                       {.line = static_cast<std::uint32_t>(line),
                        .column = static_cast<std::uint32_t>(column + 1),
                        .length = static_cast<std::uint32_t>(std::max<std::size_t>(at_ - begin, 1))});
    return failure();
  }

  std::string_view text_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
};

std::string option_text(const ir::AttributeValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  const bool plain = text != nullptr && !text->empty() && std::ranges::all_of(*text, is_word_character);
  return plain ? *text : ir::text(value);
}

}  // namespace

Result<Pipeline> Pipeline::parse(std::string_view text, Diagnostics& diagnostics) {
  HYP_TRY(std::vector<Step> steps, Parser(text, diagnostics).run());
  Pipeline pipeline;
  pipeline.steps_ = std::move(steps);
  return pipeline;
}

std::string Step::text() const {
  if (is_phase()) return "@" + phase;
  std::string inside;
  for (const ir::AttributeSpec& spec : pass->options) {
    const ir::AttributeValue& value = *options.find(spec.name);
    if (ir::equal(value, *spec.default_value)) continue;
    inside += format("{}{}={}", inside.empty() ? "" : " ", spec.name, option_text(value));
  }
  return inside.empty() ? std::string(pass->name) : format("{}{{{}}}", pass->name, inside);
}

std::string Pipeline::text() const {
  std::string out;
  for (const Step& step : steps_) out += (out.empty() ? "" : ", ") + step.text();
  return out;
}

Hash128 Pipeline::hash() const { return hash_text(text()); }

}  // namespace hyperion::passes

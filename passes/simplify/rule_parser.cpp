// The text of rules: rule.hpp says what it means.
#include <algorithm>
#include <charconv>
#include <limits>

#include "ir/support/format.hpp"
#include "ir/text/lexer.hpp"
#include "passes/simplify/rule.hpp"
#include "passes/simplify/rule_functions.hpp"

namespace hyperion::passes {
namespace {

using ir::Token;
using ir::TokenKind;

std::size_t index_of(std::vector<std::string>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.emplace_back(name);
  return names.size() - 1;
}

// Every way to write `node` with the operands of commutative ops exchanged, the given way first.
std::vector<RuleNode> commuted(const RuleNode& node) {
  std::vector<RuleNode> ways{node};
  for (std::size_t k = 0; k < node.operands.size(); ++k) {
    std::vector<RuleNode> next;
    for (const RuleNode& way : ways) {
      for (RuleNode& operand : commuted(node.operands[k])) {
        next.push_back(way);
        next.back().operands[k] = std::move(operand);
      }
    }
    ways = std::move(next);
  }
  if (node.kind == RuleNode::Kind::op && node.op->is_commutative) {
    const std::size_t count = ways.size();
    for (std::size_t k = 0; k < count; ++k) {
      ways.push_back(ways[k]);
      std::swap(ways.back().operands[0], ways.back().operands[1]);
    }
  }
  return ways;
}

class Parser {
 public:
  Parser(std::string_view text, Diagnostics& diagnostics)
      : text_(text), tokens_(ir::tokenize(text)), diagnostics_(diagnostics) {}

  Result<std::vector<Rule>> run() {
    std::vector<Rule> rules;
    while (token().kind != TokenKind::end) {
      HYP_TRY(Rule rule, parse_rule());
      rules.push_back(std::move(rule));
    }
    return rules;
  }

 private:
  Result<Rule> parse_rule() {
    const Token first = token();
    HYP_TRY_VOID(expect_word("rule"));
    rule_ = {};
    rule_.values.push_back("root");
    HYP_TRY(rule_.name, identifier("the rule's name"));
    HYP_TRY_VOID(expect(':'));
    HYP_TRY_VOID(parse_tags());
    on_left_ = true;
    HYP_TRY(const RuleNode left, parse_node());
    if (left.kind != RuleNode::Kind::op && left.kind != RuleNode::Kind::any_op) return fail("the left side is no op");
    if (left.kind == RuleNode::Kind::any_op && left.operands.size() > 3) return fail("no elementwise op has more than 3 operands");
    rule_.patterns = commuted(left);
    on_left_ = false;
    HYP_TRY_VOID(expect('='));
    HYP_TRY_VOID(expect('>'));
    HYP_TRY(rule_.replacement, parse_node());
    if (token().is_word("if")) HYP_TRY_VOID(parse_conditions());
    if (token().kind != TokenKind::end && !token().is_word("rule")) return fail("expected the end of the rule");
    rule_.text = one_line(first);
    return std::move(rule_);
  }

  Result<> parse_tags() {
    HYP_TRY(rule_.float_tag, parse_tag());
    rule_.integer_tag = rule_.float_tag;
    if (!take(',')) return {};
    HYP_TRY_VOID(expect_word("int"));
    HYP_TRY(rule_.integer_tag, parse_tag());
    return {};
  }

  Result<Tag> parse_tag() {
    for (Tag tag : {Tag::same_bits, Tag::same_but_sign_of_zero, Tag::same_over_reals}) {
      if (!token().is_word(tag_letter(tag))) continue;
      ++at_;
      return tag;
    }
    return fail("expected a tag: B, Z or R");
  }

  Result<> parse_conditions() {
    do {
      ++at_;  // `if` or `,`
      RuleCondition condition;
      condition.negated = token().is_word("not");
      if (condition.negated) ++at_;
      HYP_TRY(RuleAttribute call, parse_call());
      condition.function = call.function;
      condition.arguments = std::move(call.arguments);
      rule_.conditions.push_back(std::move(condition));
    } while (token().is(','));
    return {};
  }

  Result<RuleNode> parse_node() {
    RuleNode node;
    if (token().kind == TokenKind::value) {
      HYP_TRY(node.variable, value_variable());
      return node;
    }
    if (token().kind == TokenKind::number || token().is('-') || token().is_word("inf")) {
      node.kind = RuleNode::Kind::number;
      HYP_TRY(node.number, parse_number());
      return node;
    }
    if (take('*')) {
      node.kind = RuleNode::Kind::any_op;
      HYP_TRY(const std::string name, identifier("the name of an op variable"));
      node.variable = index_of(rule_.ops, name);
    } else if (ir::find_op(token().text) != nullptr) {
      node.kind = RuleNode::Kind::op;
      node.op = ir::find_op(token().text);
      ++at_;
    } else {
      if (on_left_) return fail("expected an op, a %value or a number");
      node.kind = RuleNode::Kind::call;
      HYP_TRY(RuleAttribute call, parse_call());
      node.function = call.function;
      node.arguments = std::move(call.arguments);
      return node;
    }
    HYP_TRY_VOID(expect('('));
    while (!take(')')) {
      HYP_TRY(RuleNode operand, parse_node());
      node.operands.push_back(std::move(operand));
      if (!token().is(')')) HYP_TRY_VOID(expect(','));
    }
    if (node.kind == RuleNode::Kind::op && take('{')) HYP_TRY_VOID(parse_attributes(node));
    return node;
  }

  Result<> parse_attributes(RuleNode& node) {
    while (!take('}')) {
      const ir::AttributeSpec* spec = node.op->attribute(token().text);
      if (spec == nullptr) return fail("expected an attribute of the op");
      ++at_;
      HYP_TRY_VOID(expect('='));
      HYP_TRY(RuleAttribute value, parse_argument());
      node.attributes.emplace_back(spec->name, std::move(value));
      if (!token().is('}')) HYP_TRY_VOID(expect(','));
    }
    return {};
  }

  // An attribute: a literal, a variable, a function of those; %x where a function takes a value.
  Result<RuleAttribute> parse_argument() {
    RuleAttribute argument;
    if (token().kind == TokenKind::value) {
      argument.kind = RuleAttribute::Kind::value;
      HYP_TRY(argument.variable, value_variable());
      return argument;
    }
    if (token().kind == TokenKind::string) {
      argument.literal = token().name();
      ++at_;
      return argument;
    }
    if (token().kind == TokenKind::number || token().is('-')) {
      HYP_TRY(const double number, parse_number());
      argument.literal = static_cast<std::int64_t>(number);
      return argument;
    }
    if (take('[')) {
      HYP_TRY_VOID(expect(']'));
      argument.literal = ir::Integers{};
      return argument;
    }
    if (!on_left_ && tokens_[at_ + 1].is('(')) return parse_call();
    HYP_TRY(const std::string name, identifier("an attribute"));
    argument.kind = RuleAttribute::Kind::variable;
    const std::size_t known = rule_.attributes.size();
    argument.variable = index_of(rule_.attributes, name);
    if (!on_left_ && argument.variable == known) return fail("the attribute '" + name + "' is not bound on the left");
    return argument;
  }

  Result<RuleAttribute> parse_call() {
    RuleAttribute call;
    call.kind = RuleAttribute::Kind::call;
    call.function = find_rule_function(token().text);
    if (call.function == nullptr) return fail("expected a rule function");
    ++at_;
    HYP_TRY_VOID(expect('('));
    while (!take(')')) {
      HYP_TRY(RuleAttribute argument, parse_argument());
      call.arguments.push_back(std::move(argument));
      if (!token().is(')')) HYP_TRY_VOID(expect(','));
    }
    if (call.arguments.size() != call.function->argument_count) {
      return fail(format("{} takes {} arguments", call.function->name, call.function->argument_count));
    }
    return call;
  }

  Result<std::size_t> value_variable() {
    const std::size_t known = rule_.values.size();
    const std::size_t index = index_of(rule_.values, token().name());
    if (!on_left_ && index == known) return fail("the value is not bound on the left");
    ++at_;
    return index;
  }

  Result<double> parse_number() {
    const bool negative = take('-');
    double number = std::numeric_limits<double>::infinity();
    if (!token().is_word("inf")) {
      const std::string_view digits = token().text;
      if (std::from_chars(digits.data(), digits.data() + digits.size(), number).ec != std::errc()) {
        return fail("expected a number");
      }
    }
    ++at_;
    return negative ? -number : number;
  }

  Result<std::string> identifier(std::string_view what) {
    if (token().kind != TokenKind::identifier) return fail("expected " + std::string(what));
    return std::string(tokens_[at_++].text);
  }
  Result<> expect_word(std::string_view word) {
    if (!token().is_word(word)) return fail(format("expected '{}'", word));
    ++at_;
    return {};
  }
  Result<> expect(char c) {
    if (!take(c)) return fail(format("expected '{}'", c));
    return {};
  }
  bool take(char c) {
    if (!token().is(c)) return false;
    ++at_;
    return true;
  }
  const Token& token() const { return tokens_[at_]; }

  std::unexpected<Failure> fail(const std::string& message) {
    const std::string found = token().kind == TokenKind::end ? "the end" : format("'{}'", token().text);
    diagnostics_.error("rule.syntax", format("rule {}: {}, at {}", rule_.name, message, found), token().range());
    return failure();
  }

  // The source from `first` to the current token, with single spaces.
  std::string one_line(const Token& first) const {
    const char* end = token().kind == TokenKind::end ? text_.data() + text_.size() : token().text.data();
    std::string out;
    for (const char* c = first.text.data(); c != end; ++c) {
      const bool space = *c == ' ' || *c == '\n';
      if (!space) out += *c;
      else if (!out.empty() && out.back() != ' ') out += ' ';
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
  bool on_left_ = true;
  Rule rule_;
};

}  // namespace

std::string_view tag_letter(Tag tag) {
  constexpr std::string_view letters[] = {"B", "Z", "R"};
  return letters[static_cast<std::size_t>(tag)];
}

Result<std::vector<Rule>> parse_rules(std::string_view text, std::string source_name, Diagnostics& diagnostics) {
  diagnostics.set_source(std::move(source_name), std::string(text));
  return Parser(text, diagnostics).run();
}

}  // namespace hyperion::passes

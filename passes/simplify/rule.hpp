// rule.hpp: a rewrite rule as data, and the text it is written in.
//
//   rule add.zero : Z, int B
//     add(%x, 0) => %x
//   rule transpose.compose : B
//     transpose(transpose(%x) {permutation = p}) {permutation = q} => transpose(%x) {permutation = compose(p, q)}
//   rule map.transpose : B
//     *f(transpose(%x) {permutation = p}) => transpose(*f(%x)) {permutation = p}
//   rule div.power_of_two : B
//     div(%x, %c) => mul(%x, reciprocal(%c))   if exact_reciprocal(%c)
//
// The tag says in what sense both sides are equal: B the same bits (NaNs identified), Z the same up to the sign of zero, R
// equal over the reals. Where rounding does not exist the sense can be stronger: `Z, int B` is Z for floats and B for
// integers and bool.
//
// Left side. `%x` stands for any value, the same one each time; a number for a constant whose elements all have those bits
// (0 and -0 differ); `*f(...)` for any elementwise op with as many operands, under its own attributes. Attributes are
// named as in .hir; a word binds the value, everything else must be equal. An attribute that is not mentioned must have
// its default. Operands of commutative ops match in both orders.
//
// Right side. As the left, plus functions of what was bound (passes/simplify/rule_functions.hpp), which may decline: then
// the rule does not apply. A number has the type of the first value operand beside it, at the top that of the root.
// `%root` is the root; only its type may be used. After `if`: conditions, all of which must hold; `not` negates one.
//
// A rule that would build something ill-typed does not apply. Thread safety: rules are immutable once parsed.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/attributes.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/diagnostics.hpp"

namespace hyperion::passes {

enum class Tag : std::uint8_t { same_bits, same_but_sign_of_zero, same_over_reals };  // B, Z, R: each includes the ones before
std::string_view tag_letter(Tag tag);

struct RuleFunction;  // passes/simplify/rule_functions.hpp

// An attribute of the left side, or an argument of a function: one of
struct RuleAttribute {
  enum class Kind : std::uint8_t { literal, variable, value, call };
  Kind kind = Kind::literal;
  ir::AttributeValue literal;             // literal
  std::size_t variable = 0;               // variable: of attributes; value: of values
  const RuleFunction* function = nullptr; // call
  std::vector<RuleAttribute> arguments;   // call
};

struct RuleNode {
  enum class Kind : std::uint8_t { value, number, op, any_op, call };
  Kind kind = Kind::value;
  std::size_t variable = 0;                     // value: of values; any_op: of ops
  double number = 0;                            // number
  const ir::OpDefinition* op = nullptr;         // op
  const RuleFunction* function = nullptr;       // call (right side only): makes a constant
  std::vector<RuleAttribute> arguments;         // call
  std::vector<RuleNode> operands;               // op, any_op
  std::vector<std::pair<std::string_view, RuleAttribute>> attributes;  // op; names are the definition's
};

struct RuleCondition {
  const RuleFunction* function = nullptr;
  std::vector<RuleAttribute> arguments;
  bool negated = false;
};

struct Rule {
  std::string name;
  Tag float_tag = Tag::same_bits;
  Tag integer_tag = Tag::same_bits;  // also for bool
  std::vector<RuleNode> patterns;    // the left side with commutative operands in each order; the written one first
  RuleNode replacement;
  std::vector<RuleCondition> conditions;
  std::vector<std::string> values;   // names of the variables; values[0] is "root"
  std::vector<std::string> attributes;
  std::vector<std::string> ops;
  std::string text;                  // as written, on one line

  Tag tag(DType dtype) const { return is_floating(dtype) ? float_tag : integer_tag; }
};

// Reports rule.syntax with the place marked.
Result<std::vector<Rule>> parse_rules(std::string_view text, std::string source_name, Diagnostics& diagnostics);

// The built-in rules that canonicalize applies (passes/simplify/rules/*.cpp), in the order in which they are tried. Names
// are unique.
std::span<const Rule> all_rules();
const Rule* find_rule(std::string_view name);  // null: none
// The rules of the pass `layout`, which change how data lies, not what is computed.
std::span<const Rule> layout_rules();

}  // namespace hyperion::passes

#include "passes/simplify/rule_match.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "passes/simplify/rule_functions.hpp"

namespace hyperion::passes {

using ir::AttributeValue;
using ir::Function;
using ir::Op;
using ir::OpId;
using ir::ValueId;

namespace {

LiteralPtr constant_of(const Function& function, ValueId value) {
  const Op* producer = function.producer(value);
  return producer != nullptr && producer->is("constant") ? producer->attributes.literal("value") : nullptr;
}

// Both have the same bits, where the number is read in the literal's dtype.
bool is_number(const LiteralPtr& literal, double number) {
  if (literal == nullptr || !literal->is_splat()) return false;
  const double value = literal->splat_value();
  return value == number && std::signbit(value) == std::signbit(number);
}

// Whether the ops directly below could be those of the pattern. Almost every attempt ends here, without allocating.
bool could_match(const RuleNode& pattern, const Function& function, const Op& op) {
  if (op.operands.size() != pattern.operands.size()) return false;
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    const RuleNode& node = pattern.operands[k];
    if (node.kind == RuleNode::Kind::value) continue;
    const Op* producer = function.producer(op.operands[k]);
    if (producer == nullptr) return false;
    if (node.kind == RuleNode::Kind::op && producer->definition != node.op) return false;
    if (node.kind == RuleNode::Kind::number && !producer->is("constant")) return false;
  }
  return true;
}

class Matcher {
 public:
  Matcher(const Rule& rule, const Function& function) : function_(function) {
    match_.values.resize(rule.values.size());
    match_.attributes.resize(rule.attributes.size());
    match_.has_attribute.resize(rule.attributes.size());
    match_.op_variables.resize(rule.ops.size());
  }

  // Depth: nesting of the rule's left side.
  bool match_value(const RuleNode& node, ValueId value) {
    if (node.kind == RuleNode::Kind::value) {
      ValueId& bound = match_.values[node.variable];
      if (bound.valid()) return bound == value;
      bound = value;
      return true;
    }
    if (node.kind == RuleNode::Kind::number) return is_number(constant_of(function_, value), node.number);
    const ir::ValueData& data = function_.value(value);
    return data.producer.valid() && match_op(node, data.producer);
  }

  bool match_op(const RuleNode& node, OpId id) {
    const Op& op = function_.op(id);
    if (op.operands.size() != node.operands.size() || op.results.size() != 1) return false;
    if (node.kind == RuleNode::Kind::any_op) {
      if (!op.definition->is_elementwise || op.definition->group == ir::OpGroup::structure) return false;
      match_.op_variables[node.variable] = id;
    } else if (op.definition != node.op || !match_attributes(node, op)) {
      return false;
    }
    match_.ops.push_back(id);
    for (std::size_t k = 0; k < node.operands.size(); ++k) {
      if (!match_value(node.operands[k], op.operands[k])) return false;
    }
    return true;
  }

  RuleMatch& result() { return match_; }

 private:
  bool match_attributes(const RuleNode& node, const Op& op) {
    for (const auto& [name, value] : op.attributes) {
      const auto mentioned = std::ranges::find(node.attributes, name, [](const auto& entry) { return entry.first; });
      if (mentioned != node.attributes.end()) {
        if (!match_attribute(mentioned->second, value)) return false;
        continue;
      }
      const ir::AttributeSpec* spec = op.definition->attribute(name);
      if (!spec->default_value || !ir::equal(value, *spec->default_value)) return false;
    }
    return true;
  }

  bool match_attribute(const RuleAttribute& pattern, const AttributeValue& value) {
    if (pattern.kind == RuleAttribute::Kind::literal) return ir::equal(pattern.literal, value);
    if (match_.has_attribute[pattern.variable]) return ir::equal(match_.attributes[pattern.variable], value);
    match_.attributes[pattern.variable] = value;
    match_.has_attribute[pattern.variable] = true;
    return true;
  }

  const Function& function_;
  RuleMatch match_;
};

std::optional<AttributeValue> evaluate(const RuleAttribute& attribute, const RuleMatch& match, const Function& function);

std::optional<AttributeValue> call(const RuleFunction& function_called, const std::vector<RuleAttribute>& arguments,
                                   const RuleMatch& match, const Function& function) {
  std::vector<RuleArgument> values;
  for (const RuleAttribute& argument : arguments) {
    if (argument.kind == RuleAttribute::Kind::value) {
      const ValueId id = match.values[argument.variable];
      values.push_back(ValueFacts{function.type(id), constant_of(function, id)});
      continue;
    }
    std::optional<AttributeValue> value = evaluate(argument, match, function);
    if (!value) return std::nullopt;
    values.push_back(*std::move(value));
  }
  return function_called.apply(values);
}

std::optional<AttributeValue> evaluate(const RuleAttribute& attribute, const RuleMatch& match, const Function& function) {
  switch (attribute.kind) {
    case RuleAttribute::Kind::literal: return attribute.literal;
    case RuleAttribute::Kind::variable: return match.attributes[attribute.variable];
    case RuleAttribute::Kind::call: return call(*attribute.function, attribute.arguments, match, function);
    case RuleAttribute::Kind::value: break;
  }
  return std::nullopt;
}

bool holds(const RuleCondition& condition, const RuleMatch& match, const Function& function) {
  const std::optional<AttributeValue> value = call(*condition.function, condition.arguments, match, function);
  const bool* truth = value ? std::get_if<bool>(&*value) : nullptr;
  return truth != nullptr && *truth != condition.negated;
}

// Writes a right side; depth: its nesting.
class Replacer {
 public:
  Replacer(const RuleMatch& match, Function& function, ir::Builder builder)
      : match_(match), function_(function), builder_(std::move(builder)) {}

  // `like`: the type that a number has here.
  std::optional<ValueId> write(const RuleNode& node, Type like) {
    switch (node.kind) {
      case RuleNode::Kind::value: return match_.values[node.variable];
      case RuleNode::Kind::number: return builder_.constant(like, node.number).id;
      case RuleNode::Kind::call: {
        const std::optional<AttributeValue> made = call(*node.function, node.arguments, match_, function_);
        if (!made || !std::holds_alternative<LiteralPtr>(*made)) return std::nullopt;
        return builder_.constant(std::get<LiteralPtr>(*made)).id;
      }
      case RuleNode::Kind::op:
      case RuleNode::Kind::any_op: return write_op(node);
    }
    return std::nullopt;
  }

 private:
  std::optional<ValueId> write_op(const RuleNode& node) {
    std::vector<ValueId> operands(node.operands.size());
    Type like;
    for (bool numbers : {false, true}) {  // numbers last: their type is that of the values beside them
      for (std::size_t k = 0; k < operands.size(); ++k) {
        if ((node.operands[k].kind == RuleNode::Kind::number) != numbers) continue;
        const std::optional<ValueId> operand = write(node.operands[k], like);
        if (!operand) return std::nullopt;
        operands[k] = *operand;
        if (!like.valid()) like = function_.type(*operand);
      }
    }
    const ir::OpDefinition* definition = node.op;
    ir::Attributes attributes;
    if (node.kind == RuleNode::Kind::any_op) {
      const Op& original = function_.op(match_.op_variables[node.variable]);
      definition = original.definition;
      attributes = original.attributes;
    }
    for (const auto& [name, attribute] : node.attributes) {
      std::optional<AttributeValue> value = evaluate(attribute, match_, function_);
      if (!value) return std::nullopt;
      attributes.set(name, *std::move(value));
    }
    Diagnostics unheard;
    const Result<OpId> op = builder_.try_apply(*definition, std::move(operands), std::move(attributes), unheard);
    if (!op) return std::nullopt;
    return function_.op(*op).results[0];
  }

  const RuleMatch& match_;
  Function& function_;
  ir::Builder builder_;
};

}  // namespace

std::optional<RuleMatch> match(const Rule& rule, const Function& function, OpId root) {
  for (const RuleNode& pattern : rule.patterns) {
    if (!could_match(pattern, function, function.op(root))) continue;
    Matcher matcher(rule, function);
    if (!matcher.match_op(pattern, root)) continue;
    RuleMatch& found = matcher.result();
    found.values[0] = function.op(root).results[0];
    const bool all = std::ranges::all_of(rule.conditions, [&](const auto& c) { return holds(c, found, function); });
    if (all) return std::move(found);
  }
  return std::nullopt;
}

std::optional<ValueId> build_replacement(const Rule& rule, const RuleMatch& match, Rewriter& rewriter,
                                         Function& function) {
  const OpId root = match.ops[0];
  const auto first_new = static_cast<std::uint32_t>(function.op_slots());
  Replacer replacer(match, function, rewriter.before(root, std::span(match.ops).subspan(1)));
  const Type type = function.type(match.values[0]);
  const std::optional<ValueId> value = replacer.write(rule.replacement, type);
  if (value && function.type(*value) == type) return value;
  for (auto index = static_cast<std::uint32_t>(function.op_slots()); index-- > first_new;) {
    function.erase_op(OpId{index});  // written a moment ago, seen by nobody
  }
  return std::nullopt;
}

}  // namespace hyperion::passes

// op_builder.cpp: the part of the function parser that turns the text of an op into an op, with all
// checks.
#include <algorithm>

#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/function_parser.hpp"

namespace hyperion::ir {

// Fails without a report if an operand's definition was wrong.
Result<> FunctionParser::build(OpText& text) {
  bool poisoned = false;
  HYP_TRY_VOID(check_symbols(text, poisoned));
  std::vector<ValueId> values;
  Type literal_type;
  HYP_TRY(const bool known, resolve(text, values, literal_type));
  if (!known || poisoned) return failure();
  if (text.definition->name == "constant") {
    HYP_TRY_VOID(constant_payload(text));
  }
  std::vector<LiteralPtr> literals;
  std::vector<Type> types;
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (text.operands[k].is_literal) {
      const Payload payload{.elements = {text.operands[k].element},
                            .range = text.operands[k].range()};
      HYP_TRY(LiteralPtr literal, reader_.literal(payload, literal_type));
      literals.push_back(std::move(literal));
      types.push_back(literal_type);
    } else {
      types.push_back(function_.type(values[k]));
    }
  }
  Result<std::vector<Type>> inferred = infer(text, types);
  if (!inferred) {
    explain_operands(text, values);
    return failure();
  }
  HYP_TRY_VOID(check_types(text, *inferred));
  const BlockId block = open_.back().block;
  std::size_t next_literal = 0;
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (!text.operands[k].is_literal) continue;
    const OpId constant = function_.insert_op(block, {}, ir::op("constant"), {}, {&literal_type, 1},
                                              {{"value", literals[next_literal++]}}, text.location);
    values[k] = function_.op(constant).results[0];
  }
  last_op_ = function_.insert_op(block, {}, *text.definition, std::move(values), *inferred,
                                 std::move(text.attributes), text.location);
  return name_results(text, last_op_);
}

Result<> FunctionParser::constant_payload(OpText& text) {
  if (text.types.size() != 1) {
    return reader_.error("parse.syntax", text.name.range(),
                         "a constant needs its type written: constant 1.5 : f32[2]");
  }
  HYP_TRY(LiteralPtr value, reader_.literal(text.payload, text.types[0]));
  text.attributes.set("value", std::move(value));
  return {};
}

// The values of the operands, none for literals; and the type that literals get. False: an operand
// is poisoned.
Result<bool> FunctionParser::resolve(const OpText& text, std::vector<ValueId>& values,
                                     Type& literal_type) {
  bool known = true;
  const Operand* first_literal = nullptr;
  for (const Operand& operand : text.operands) {
    if (operand.is_literal) {
      if (first_literal == nullptr) first_literal = &operand;
      values.push_back({});
      continue;
    }
    const auto found = names_.find(key(operand.token));
    if (found == names_.end() || !found->second.visible) {
      Diagnostic& report = reader_.diagnostics().error(
          "parse.unknown_value", format("{} is not defined", operand.token.text), operand.range());
      if (found != names_.end())
        report.note(found->second.range, "this definition ends with its block");
      return failure();
    }
    known &= found->second.value.valid();
    values.push_back(found->second.value);
    if (found->second.value.valid()) literal_type = function_.type(found->second.value);
  }
  if (first_literal != nullptr && !literal_type.valid() && known) {
    return reader_.error(
        "parse.syntax", first_literal->range(),
        "a literal operand takes its type from another operand, and there is none; use a constant");
  }
  return known;
}

Result<> FunctionParser::check_symbols(const OpText& text, bool& poisoned) {
  for (const auto& [name, value] : text.attributes) {
    const auto* symbol = std::get_if<SymbolReference>(&value);
    if (symbol == nullptr) continue;
    poisoned |= broken_.contains(symbol->name);
    if (module_.find(symbol->name) != nullptr) continue;
    std::vector<std::string_view> known;
    for (const auto& function : module_.functions()) known.push_back(function->name);
    return reader_.error("parse.unknown_function", text.name.range(),
                         format("no function is called {}{}", spell_name('@', symbol->name),
                                did_you_mean(symbol->name, known)));
  }
  return {};
}

Result<std::vector<Type>> FunctionParser::infer(OpText& text, const std::vector<Type>& types) {
  std::vector<SourceRange> ranges;
  for (const Operand& operand : text.operands) ranges.push_back(operand.range());
  return infer_types(*text.definition, types, text.attributes, &module_, reader_.diagnostics(),
                     text.location, text.name.range(), ranges);
}

// Adds to the latest error where the operands it marks were defined, and with which type.
void FunctionParser::explain_operands(const OpText& text, const std::vector<ValueId>& values) {
  Diagnostic& report = reader_.diagnostics().latest();
  std::vector<ValueId> told;
  for (std::size_t k = 0; k < text.operands.size(); ++k) {
    const SourceRange range = text.operands[k].range();
    const auto is_here = [&](SourceRange mark) {
      return mark.line == range.line && mark.column == range.column;
    };
    if (text.operands[k].is_literal || !std::ranges::any_of(report.marks, is_here)) continue;
    if (std::ranges::find(told, values[k]) != told.end()) continue;
    told.push_back(values[k]);
    report.note(names_.find(key(text.operands[k].token))->second.range,
                format("{}: {} is defined here", text.operands[k].token.text,
                       function_.type(values[k]).text()));
  }
}

Result<> FunctionParser::check_types(const OpText& text, const std::vector<Type>& inferred) {
  if (!text.results.empty() && text.results.size() != inferred.size()) {
    return reader_.error("parse.type_mismatch", text.results[0].range(),
                         format("{} has {} results, but {} are named", text.name.text,
                                inferred.size(), text.results.size()));
  }
  if (text.types.empty() || text.types == inferred) return {};
  if (text.types.size() != inferred.size()) {
    return reader_.error("parse.type_mismatch", text.types_range,
                         format("{} has {} results, but {} types are written", text.name.text,
                                inferred.size(), text.types.size()));
  }
  const auto wrong = std::ranges::mismatch(text.types, inferred);
  return reader_.error("parse.type_mismatch", text.types_range,
                       format("{}: the result is written as {}, but is {}", text.name.text,
                              wrong.in1->text(), wrong.in2->text()));
}

Result<> FunctionParser::name_results(const OpText& text, OpId op) {
  for (std::size_t k = 0; k < text.results.size(); ++k) {
    const ValueId value = function_.op(op).results[k];
    HYP_TRY_VOID(define(text.results[k], value));
    if (!text.results[k].is_numbered()) function_.set_name(value, text.results[k].name());
  }
  return {};
}

}  // namespace hyperion::ir

// scan.cpp: a loop over the first axis of tensors, with a state that is carried along.
//
//   for i in 0 .. length - 1:  (carries, outputs[i]) = body(constants, carries, sequences[i])
//
// `reverse` runs i from length - 1 down to 0; outputs stand at their i all the same.
#include "ir/ops/scan_parts.hpp"

#include <algorithm>
#include <cstring>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

std::vector<Type> ScanBuilder::parameters() const {
  std::vector<Type> types = types_of(constants);
  for (const Value& carry : carries) types.push_back(carry.type());
  for (const Value& sequence : sequences) types.push_back(ScanParts::element(sequence.type()));
  return types;
}

std::vector<Value> ScanBuilder::apply(Builder& b, const Function& body, std::int64_t length, bool reverse) const {
  std::vector<Value> operands = constants;
  append(operands, carries);
  append(operands, sequences);
  return b.apply_all("scan", operands, {{"body", symbol_of(body)},
                                        {"constants", std::ssize(constants)},
                                        {"carries", std::ssize(carries)},
                                        {"length", length},
                                        {"reverse", reverse}});
}

namespace {

InferResult infer_scan(const InferContext& c) {
  HYP_TRY(const Function* body, find_callee(c, "c1", "body"));
  const std::int64_t constants = c.attributes.integer("constants"), carries = c.attributes.integer("carries");
  const std::int64_t length = c.attributes.integer("length");
  if (constants < 0 || carries < 0 || length < 0 || constants + carries > std::ssize(c.operands)) {
    return c.fail("c2", format("{} constants and {} carries among {} operands, length {}", constants, carries, c.operands.size(), length));
  }
  const ScanParts parts(c.attributes, c.operands.size());
  std::vector<Type> expected(c.operands.begin(), c.operands.begin() + static_cast<std::ptrdiff_t>(parts.first_sequence()));
  for (std::size_t k = parts.first_sequence(); k < c.operands.size(); ++k) {
    const Type sequence = c.operands[k];
    if (sequence.rank() < 1 || sequence.dim(0) != Dim(length)) {
      return c.fail("c3", format("sequence {} does not have {} elements", sequence.text(), length), {static_cast<int>(k)});
    }
    expected.push_back(ScanParts::element(sequence));
  }
  HYP_TRY_VOID(check_parameters_of(c, "c4", *body, expected));
  HYP_TRY_VOID(check_results_of(c, "c5", *body, c.operands.subspan(parts.constants, parts.carries)));
  std::vector<Type> results = body->result_types();
  for (std::size_t k = parts.carries; k < results.size(); ++k) {
    if (results[k].rank() >= kMaxRank) return c.fail("c6", format("output {} cannot be stacked", results[k].text()));
    results[k] = batched_type(results[k], Dim(length));
  }
  return results;
}

LiteralPtr element_of(const std::vector<std::byte>& sequence, Type type, std::int64_t index) {
  return Literal::make(type, std::span(sequence).subspan(at(index) * type.bytes(), type.bytes()));
}

StatusOr<std::vector<LiteralPtr>> evaluate_scan(const EvaluateContext& c) {
  const ScanParts parts(c.attributes, c.operands.size());
  std::vector<LiteralPtr> arguments(c.operands.begin(), c.operands.end());
  std::vector<std::vector<std::byte>> sequences, outputs;
  for (std::size_t k = parts.first_sequence(); k < arguments.size(); ++k) sequences.push_back(arguments[k]->dense_bytes());
  for (std::size_t k = parts.carries; k < c.results.size(); ++k) outputs.emplace_back(c.results[k].bytes());
  for (std::int64_t step = 0; step < parts.length; ++step) {
    const std::int64_t index = c.attributes.boolean("reverse") ? parts.length - 1 - step : step;
    for (std::size_t k = 0; k < sequences.size(); ++k) {
      const std::size_t operand = parts.first_sequence() + k;
      arguments[operand] = element_of(sequences[k], ScanParts::element(c.operands[operand]->type()), index);
    }
    HYP_TRY(const std::vector<LiteralPtr> results, c.call(c.attributes.symbol("body"), arguments));
    std::copy_n(results.begin(), parts.carries, arguments.begin() + static_cast<std::ptrdiff_t>(parts.constants));
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      const std::vector<std::byte> bytes = results[parts.carries + k]->dense_bytes();
      std::ranges::copy(bytes, outputs[k].begin() + static_cast<std::ptrdiff_t>(at(index) * bytes.size()));
    }
  }
  std::vector<LiteralPtr> results = parts.carries_of(arguments);
  for (std::size_t k = 0; k < outputs.size(); ++k) results.push_back(Literal::make(c.results[parts.carries + k], outputs[k]));
  return results;
}

}  // namespace

OpDefinition op_scan() {
  OpDefinition op;
  op.name = "scan";
  op.group = OpGroup::control;
  op.doc = "A loop over the first axis of `sequences`: body(constants, carries, elements) gives the next carries and "
           "outputs, which are stacked. Results: last carries, stacked outputs.";
  op.operands = {{.name = "operands", .doc = "constants, first carries, sequences", .variadic = true, .linear = true}};
  op.attributes = {{"body", AttributeKind::symbol, "one step", std::nullopt},
                   {"constants", AttributeKind::integer, "how many operands every step gets as they are", AttributeValue(std::int64_t{0})},
                   {"carries", AttributeKind::integer, "how many operands after them are carried from step to step", std::nullopt},
                   {"length", AttributeKind::integer, "the number of steps", std::nullopt},
                   {"reverse", AttributeKind::boolean, "from the last element to the first", AttributeValue(false)}};
  op.constraints = {{"c1", "(C1) the body exists"},
                    {"c2", "(C2) constants, carries and length are not negative, and there are that many operands"},
                    {"c3", "(C3) every sequence has `length` elements"},
                    {"c4", "(C4) the body takes constants, carries and one element of each sequence"},
                    {"c5", "(C5) the body's first results have the types of the carries"},
                    {"c6", "(C6) stacked outputs have rank at most 8"}};
  op.result_count = -1;
  op.anchor = Anchor::opaque;
  op.infer = infer_scan;
  op.evaluate = evaluate_scan;
  op.jvp = jvp_scan;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_scan;
  op.batch = batch_scan;
  op.example = "scan %sum, %xs {body = @step, carries = 1, length = 10}";
  return op;
}

}  // namespace hyperion::ir::ops

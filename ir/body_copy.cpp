#include "ir/body_copy.hpp"

namespace hyperion::ir {

std::vector<Value> copy_op(Builder& builder, const Function& from, const Op& op, std::span<const Value> operands) {
  HYP_CHECK(op.blocks.empty() && !op.is("return"), "only func-level ops are copied");
  std::vector<ValueId> ids;
  for (const Value& operand : operands) ids.push_back(operand.id);
  std::vector<Type> types;
  for (ValueId result : op.results) types.push_back(from.type(result));
  const Location outer = builder.location();
  builder.set_location(op.location);
  const std::vector<Value> results = builder.insert(*op.definition, std::move(ids), types, op.attributes);
  builder.set_location(outer);
  return results;
}

std::vector<Value> copy_body(Builder& builder, const Function& callee, std::span<const Value> arguments) {
  IdMap<ValueId, Value> map;
  for (std::size_t k = 0; k < arguments.size(); ++k) map[callee.parameters()[k]] = arguments[k];
  std::vector<Value> operands;
  for (OpId id : callee.ops()) {
    const Op& op = callee.op(id);
    operands.clear();
    for (ValueId operand : op.operands) operands.push_back(map[operand]);
    if (op.is("return")) break;
    const std::vector<Value> results = copy_op(builder, callee, op, operands);
    for (std::size_t k = 0; k < results.size(); ++k) map[op.results[k]] = results[k];
  }
  return operands;
}

}  // namespace hyperion::ir

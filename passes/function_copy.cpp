#include "passes/function_copy.hpp"

#include "ir/transforms.hpp"

namespace hyperion::passes {

using ir::Builder;
using ir::Function;
using ir::Op;
using ir::OpId;
using ir::Value;
using ir::ValueId;

Function decomposition(const ir::Module* module, const Op& op, std::span<const Type> operand_types) {
  Function function(std::string(op.name()), ir::FunctionKind::func);
  Builder builder(function, module);
  builder.set_location(op.location);
  ir::DecomposeContext context{builder, *op.definition, op.attributes, {}};
  for (Type type : operand_types) context.operands.push_back(builder.parameter(type));
  const std::vector<Value> results = op.definition->decompose(context);
  builder.return_values(results);
  return function;
}

std::vector<Value> copy_parameters(Builder& builder, const Function& from) {
  std::vector<Value> parameters;
  for (ValueId id : from.parameters()) {
    parameters.push_back(builder.parameter(from.type(id), from.value(id).name));
  }
  return parameters;
}

Value add_derived_parameter(Builder& builder, Type type, const Function& from, const std::string& base,
                            std::string_view suffix) {
  std::string name = base.empty() ? std::string() : base + std::string(suffix);
  for (std::uint32_t k = 0; !name.empty() && k < from.value_slots(); ++k) {
    if (from.value(ValueId{k}).name == name) name.clear();
  }
  return builder.parameter(type, std::move(name));
}

}  // namespace hyperion::passes

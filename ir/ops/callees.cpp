#include "ir/ops/callees.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

Result<const Function*> find_callee(const InferContext& c, std::string_view constraint, std::string_view attribute) {
  const std::string& name = c.attributes.symbol(attribute);
  const Function* callee = c.module == nullptr ? nullptr : c.module->find(name);
  if (callee == nullptr || callee->kind != FunctionKind::func || !callee->is_complete()) {
    return c.fail(constraint, format("no function is called @{}", name));
  }
  return callee;
}

Result<> check_parameters_of(const InferContext& c, std::string_view constraint, const Function& callee,
                             std::span<const Type> expected) {
  const std::vector<Type> types = callee.parameter_types();
  if (types.size() != expected.size()) {
    return c.fail(constraint, format("@{} takes {} arguments, got {}", callee.name, types.size(), expected.size()));
  }
  for (std::size_t k = 0; k < types.size(); ++k) {
    if (types[k] == expected[k]) continue;
    return c.fail(constraint, format("argument {} of @{} is {}, got {}", k, callee.name, types[k].text(), expected[k].text()));
  }
  return {};
}

Result<> check_results_of(const InferContext& c, std::string_view constraint, const Function& callee,
                          std::span<const Type> expected) {
  const std::vector<Type> types = callee.result_types();
  if (types.size() < expected.size()) {
    return c.fail(constraint, format("@{} gives {} results, not {}", callee.name, types.size(), expected.size()));
  }
  for (std::size_t k = 0; k < expected.size(); ++k) {
    if (types[k] == expected[k]) continue;
    return c.fail(constraint, format("result {} of @{} is {}, not {}", k, callee.name, types[k].text(), expected[k].text()));
  }
  return {};
}

const Function& callee_of(const Builder& builder, const Attributes& attributes, std::string_view attribute) {
  const std::string& name = attributes.symbol(attribute);
  const Function* callee = builder.module() == nullptr ? nullptr : builder.module()->find(name);
  HYP_CHECK(callee != nullptr, format("no function is called @{}", name));
  return *callee;
}

AttributeValue symbol_of(const Function& function) { return SymbolReference{function.name}; }

const Function& write_function(FunctionTransforms& functions, std::string name, std::span<const Type> parameters,
                               const std::function<std::vector<Value>(Builder&, std::span<const Value>)>& body) {
  auto function = std::make_unique<Function>(std::move(name), FunctionKind::func);
  Builder builder(*function, &functions.module());
  std::vector<Value> arguments;
  for (Type type : parameters) arguments.push_back(builder.parameter(type));
  builder.return_values(body(builder, arguments));
  return functions.add(std::move(function));
}

std::vector<bool> present(std::span<const Value> values) {
  std::vector<bool> claims;
  for (const Value& value : values) claims.push_back(value.valid());
  return claims;
}

std::vector<Type> types_of(std::span<const Value> values) {
  std::vector<Type> types;
  for (const Value& value : values) types.push_back(value.type());
  return types;
}

Type batched_type(Type type, Dim size) { return type.with_dims(inserted(dims_of(type), 0, size)); }

std::vector<Value> part(std::span<const Value> values, std::size_t begin, std::size_t end) {
  return {values.begin() + static_cast<std::ptrdiff_t>(begin), values.begin() + static_cast<std::ptrdiff_t>(end)};
}

void append(std::vector<Value>& to, std::span<const Value> values) { to.insert(to.end(), values.begin(), values.end()); }

std::vector<Value> chosen(std::span<const Value> values, const std::vector<bool>& claims, bool claim) {
  std::vector<Value> out;
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (claims[k] == claim) out.push_back(values[k]);
  }
  return out;
}

}  // namespace hyperion::ir::ops

// callees.hpp: what cond, while and scan share: the functions they call, and wrapping functions around others.
#pragma once

#include <functional>

#include "ir/body_copy.hpp"
#include "ir/ops/shapes.hpp"

namespace hyperion::ir::ops {

// ---- type rules -----------------------------------------------------------------------------------------------

// The function that a symbol attribute names, or a report under `constraint`.
Result<const Function*> find_callee(const InferContext& c, std::string_view constraint, std::string_view attribute);
// Its parameters have these types.
Result<> check_parameters_of(const InferContext& c, std::string_view constraint, const Function& callee,
                             std::span<const Type> expected);
// Its first results have these types.
Result<> check_results_of(const InferContext& c, std::string_view constraint, const Function& callee,
                          std::span<const Type> expected);

// ---- rules ----------------------------------------------------------------------------------------------------

// The function that a symbol attribute names.
const Function& callee_of(const Builder& builder, const Attributes& attributes, std::string_view attribute);
AttributeValue symbol_of(const Function& function);

// Writes a function of these parameters (its body copies other functions rather than calling them, so that transposing
// sees op by op what depends on a tangent) and adds it to the module; `body` gives its results.
const Function& write_function(FunctionTransforms& functions, std::string name, std::span<const Type> parameters,
                               const std::function<std::vector<Value>(Builder&, std::span<const Value>)>& body);

std::vector<bool> present(std::span<const Value> values);
std::vector<Type> types_of(std::span<const Value> values);
Type batched_type(Type type, Dim size);
// values[begin], ..., values[end - 1]
std::vector<Value> part(std::span<const Value> values, std::size_t begin, std::size_t end);
void append(std::vector<Value>& to, std::span<const Value> values);
// The values whose claim holds.
std::vector<Value> chosen(std::span<const Value> values, const std::vector<bool>& claims, bool claim = true);

}  // namespace hyperion::ir::ops

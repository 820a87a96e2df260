#include "ir/interpreter.hpp"

#include "ir/logic/term_evaluator.hpp"
#include "ir/support/format.hpp"
#include "ir/transforms.hpp"

namespace hyperion::ir {
namespace {

using Literals = StatusOr<std::vector<LiteralPtr>>;

// Functions and composites within one another; deeper than any real program, shallower than the stack.
constexpr int kMaxDepth = 500;

Literals interpret_function(const Module* module, const Function& function, std::span<const LiteralPtr> arguments,
                            int depth);

StatusOr<> check_type(Type type, std::string_view where) {
  if (!type.is_static()) {
    return error_status(Code::failed_precondition, format("{} has a symbolic dimension", type.text()),
                        std::string(where), "specialise the function to sizes first");
  }
  if (is_complex(type.dtype())) {
    return error_status(Code::unimplemented, format("{}: no op computes on complex elements", type.text()),
                        std::string(where));
  }
  return {};
}

Literals evaluate_composite(const OpDefinition& op, const Attributes& attributes, const Module* module,
                            std::span<const LiteralPtr> operands, int depth) {
  Function body(std::string(op.name), FunctionKind::func);
  Builder builder(body, module);
  DecomposeContext context{builder, op, attributes, {}};
  for (const LiteralPtr& operand : operands) context.operands.push_back(builder.parameter(operand->type()));
  builder.return_values(op.decompose(context));
  return interpret_function(module, body, operands, depth + 1);
}

Literals evaluate_hook(const OpDefinition& op, const Attributes& attributes, std::span<const Type> results,
                       const Module* module, std::span<const LiteralPtr> operands, int depth) {
  EvaluateContext context{.definition = op, .operands = operands, .results = results, .attributes = attributes};
  context.call = [&](std::string_view name, std::span<const LiteralPtr> arguments) -> Literals {
    const Function* callee = module == nullptr ? nullptr : module->find(name);
    if (callee == nullptr) return error_status(Code::not_found, format("no function is called @{}", name));
    return interpret_function(module, *callee, arguments, depth + 1);
  };
  return op.evaluate(context);
}

Literals evaluate(const OpDefinition& op, const Attributes& attributes, std::span<const Type> results,
                  const Module* module, std::span<const LiteralPtr> operands, int depth) {
  for (const LiteralPtr& operand : operands) {
    HYP_TRY_VOID(check_type(operand->type(), op.name));
  }
  for (Type type : results) {
    HYP_TRY_VOID(check_type(type, op.name));
  }
  if (op.evaluate) return evaluate_hook(op, attributes, results, module, operands, depth);
  if (op.is_composite()) return evaluate_composite(op, attributes, module, operands, depth);
  if (!op.define && !op.is_elementwise) {
    return error_status(Code::unimplemented, format("'{}' has no meaning outside compiled code", op.name));
  }
  std::vector<Type> types;
  for (const LiteralPtr& operand : operands) types.push_back(operand->type());
  TermPool pool;
  const std::vector<Lambda> lambdas = define(op, {pool, types, results, attributes});
  std::vector<LiteralPtr> values;
  for (std::size_t k = 0; k < lambdas.size(); ++k) {
    values.push_back(evaluate_lambda(pool, lambdas[k], results[k], operands));
  }
  return values;
}

StatusOr<> check_call(const Function& function, std::span<const LiteralPtr> arguments, int depth) {
  const std::string where = format("@{}", function.name);
  if (function.kind != FunctionKind::func) {
    return error_status(Code::invalid_argument, "a kernel works on memory; only a func has values", where);
  }
  if (depth > kMaxDepth) {
    return error_status(Code::resource_exhausted, format("functions call one another more than {} deep", kMaxDepth),
                        where);
  }
  const std::vector<Type> types = function.parameter_types();
  if (types.size() != arguments.size()) {
    return error_status(Code::invalid_argument, format("takes {} arguments, got {}", types.size(), arguments.size()),
                        where);
  }
  for (std::size_t k = 0; k < types.size(); ++k) {
    HYP_TRY_VOID(check_type(types[k], where));
    if (arguments[k]->type() != types[k]) {
      return error_status(Code::invalid_argument, format("argument {} is {}, not {}", k,
                                                         arguments[k]->type().text(), types[k].text()),
                          where);
    }
  }
  return {};
}

Literals interpret_function(const Module* module, const Function& function, std::span<const LiteralPtr> arguments,
                            int depth) {
  HYP_TRY_VOID(check_call(function, arguments, depth));
  IdMap<ValueId, LiteralPtr> values;
  for (std::size_t k = 0; k < arguments.size(); ++k) values[function.parameters()[k]] = arguments[k];
  for (OpId id : function.ops()) {
    const Op& op = function.op(id);
    std::vector<LiteralPtr> operands;
    for (ValueId operand : op.operands) operands.push_back(values[operand]);
    if (op.is("return")) return operands;
    std::vector<Type> types;
    for (ValueId result : op.results) types.push_back(function.type(result));
    HYP_TRY(const std::vector<LiteralPtr> results,
            evaluate(*op.definition, op.attributes, types, module, operands, depth));
    HYP_CHECK(results.size() == types.size(), "an op gave another number of results than its type rule");
    for (std::size_t k = 0; k < types.size(); ++k) {
      HYP_CHECK(results[k]->type() == types[k], "an op gave a result of another type than its type rule");
      values[op.results[k]] = results[k];
    }
  }
  return error_status(Code::failed_precondition, "the function does not return", format("@{}", function.name));
}

}  // namespace

Literals interpret(const Module& module, const Function& function, std::span<const LiteralPtr> arguments) {
  return interpret_function(&module, function, arguments, 0);
}

Literals interpret_op(const OpDefinition& op, std::span<const LiteralPtr> operands, Attributes attributes,
                      const Module* module) {
  std::vector<Type> types;
  for (const LiteralPtr& operand : operands) types.push_back(operand->type());
  Diagnostics diagnostics;
  const InferResult results = infer_types(op, types, attributes, module, diagnostics);
  if (!results) return error_status(Code::invalid_argument, diagnostics.render(), std::string(op.name));
  return evaluate(op, attributes, *results, module, operands, 0);
}

}  // namespace hyperion::ir

#include "frontend/control.hpp"

#include "frontend/error.hpp"
#include "frontend/ops/recording.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"

namespace hyperion::frontend {
namespace {

// f with other parameters: parameter k of f becomes parameter places[k] of the result. Results of f are followed by the
// parameters listed in `passed_on`.
std::unique_ptr<ir::Function> with_parameters(const ir::Function& f, std::span<const Type> types,
                                              std::span<const std::size_t> places,
                                              std::span<const std::size_t> passed_on = {}) {
  auto out = std::make_unique<ir::Function>(f.name, ir::FunctionKind::func);
  out->location = f.location;
  std::vector<ir::ValueId> parameters;
  for (Type type : types) parameters.push_back(out->add_parameter(type));
  IdMap<ir::ValueId, ir::ValueId> values;
  for (std::size_t k = 0; k < places.size(); ++k) values[f.parameters()[k]] = parameters[places[k]];
  for (ir::OpId id : f.ops()) {
    const ir::Op& op = f.op(id);
    std::vector<ir::ValueId> operands;
    for (ir::ValueId operand : op.operands) operands.push_back(values[operand]);
    if (op.is("return")) {
      for (std::size_t parameter : passed_on) operands.push_back(parameters[parameter]);
    }
    std::vector<Type> results;
    for (ir::ValueId result : op.results) results.push_back(f.type(result));
    const ir::OpId copy = out->insert_op(out->body(), {}, *op.definition, std::move(operands), results, op.attributes,
                                         op.location);
    for (std::size_t k = 0; k < op.results.size(); ++k) values[op.results[k]] = out->op(copy).results[k];
  }
  return out;
}

// Puts the function into the library under a name made of its content.
ir::SymbolReference publish(std::unique_ptr<ir::Function> function) {
  const std::string name = function->name + "_" + ir::structural_hash(*function).hex();
  function->name = name;
  std::lock_guard lock(graph_mutex());
  if (function_library().find(name) == nullptr) function_library().add(std::move(function));
  return {name};
}

std::vector<std::size_t> counting(std::size_t from, std::size_t count) {
  std::vector<std::size_t> out;
  for (std::size_t k = 0; k < count; ++k) out.push_back(from + k);
  return out;
}

void append(std::vector<std::size_t>& list, const std::vector<std::size_t>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

std::vector<Type> node_types(std::span<const NodeRef> nodes) {
  std::vector<Type> types;
  for (const NodeRef& node : nodes) types.push_back(node.type());
  return types;
}

void add_all(std::vector<NodeRef>& nodes, std::span<const Tensor> tensors) {
  for (const Tensor& t : tensors) nodes.push_back(t.ref());
}

std::vector<Tensor> results_of(const NodeRef& node, std::size_t count) {
  std::vector<Tensor> results;
  for (std::uint32_t k = 0; k < count; ++k) results.emplace_back(node.with_result(k));
  return results;
}

}  // namespace

void require_same_structure(std::string_view what, const tree::Flattened& a, const tree::Flattened& b, Location where) {
  if (a.structure == b.structure) return;
  raise(where, "transform.structure", format("{}: the functions return trees of different structure", what));
}

std::vector<Tensor> apply_cond(const Operand& predicate, const TracedFunction& on_true, const TracedFunction& on_false,
                               std::span<const Tensor> arguments, Location where) {
  static const ir::OpDefinition& op = ir::op("cond");
  // Both branches take the arguments, then the captures of both.
  std::vector<NodeRef> operands;
  add_all(operands, arguments);
  operands.insert(operands.end(), on_true.captures.begin(), on_true.captures.end());
  operands.insert(operands.end(), on_false.captures.begin(), on_false.captures.end());
  const std::vector<Type> types = node_types(operands);
  std::vector<std::size_t> yes = counting(0, arguments.size()), no = yes;
  append(yes, counting(arguments.size(), on_true.captures.size()));
  append(no, counting(arguments.size() + on_true.captures.size(), on_false.captures.size()));
  ir::Attributes attributes;
  attributes.set("on_true", publish(with_parameters(*on_true.function, types, yes)));
  attributes.set("on_false", publish(with_parameters(*on_false.function, types, no)));
  operands.insert(operands.begin(), tensor_of("cond", predicate).ref());
  return results_of(record(op, std::move(operands), std::move(attributes), where),
                    on_true.function->result_types().size());
}

std::vector<Tensor> apply_while(const TracedFunction& condition, const TracedFunction& body,
                                std::span<const Tensor> state, Location where) {
  static const ir::OpDefinition& op = ir::op("while");
  // Captures travel as part of the state that the body hands on unchanged.
  std::vector<NodeRef> operands;
  add_all(operands, state);
  operands.insert(operands.end(), condition.captures.begin(), condition.captures.end());
  operands.insert(operands.end(), body.captures.begin(), body.captures.end());
  const std::vector<Type> types = node_types(operands);
  std::vector<std::size_t> test = counting(0, state.size()), step = test;
  append(test, counting(state.size(), condition.captures.size()));
  append(step, counting(state.size() + condition.captures.size(), body.captures.size()));
  const std::vector<std::size_t> captured = counting(state.size(), operands.size() - state.size());
  ir::Attributes attributes;
  attributes.set("condition", publish(with_parameters(*condition.function, types, test)));
  attributes.set("body", publish(with_parameters(*body.function, types, step, captured)));
  return results_of(record(op, std::move(operands), std::move(attributes), where), state.size());
}

std::vector<Tensor> apply_scan(const TracedFunction& body, std::span<const Tensor> carries,
                               std::span<const Tensor> sequences, std::int64_t length, bool reverse, Location where) {
  static const ir::OpDefinition& op = ir::op("scan");
  // The op wants captures first; the traced body has them last.
  const std::size_t constants = body.captures.size(), own = carries.size() + sequences.size();
  std::vector<NodeRef> operands = body.captures;
  add_all(operands, carries);
  add_all(operands, sequences);
  std::vector<Type> types = node_types(body.captures);
  const std::vector<Type> of_body = body.function->parameter_types();
  types.insert(types.end(), of_body.begin(), of_body.begin() + static_cast<std::ptrdiff_t>(own));
  std::vector<std::size_t> places = counting(constants, own);
  append(places, counting(0, constants));
  ir::Attributes attributes;
  attributes.set("body", publish(with_parameters(*body.function, types, places)));
  attributes.set("carries", static_cast<std::int64_t>(carries.size()));
  attributes.set("constants", static_cast<std::int64_t>(constants));
  attributes.set("length", length);
  attributes.set("reverse", reverse);
  return results_of(record(op, std::move(operands), std::move(attributes), where),
                    body.function->result_types().size());
}

}  // namespace hyperion::frontend

#include "frontend/trace.hpp"

#include <algorithm>

#include "frontend/error.hpp"
#include "frontend/ops/creation.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/promotion.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"
#include "passes/autodiff/checkpoint.hpp"
#include "passes/autodiff/jvp.hpp"
#include "passes/autodiff/vjp.hpp"
#include "passes/batching/vmap.hpp"

namespace hyperion::frontend {
namespace {

std::vector<NodeRef> refs(std::span<const Tensor> tensors) {
  std::vector<NodeRef> out;
  out.reserve(tensors.size());
  for (const Tensor& t : tensors) out.push_back(t.ref());
  return out;
}

std::vector<Tensor> tensors_of(std::vector<NodeRef> nodes) {
  std::vector<Tensor> out;
  out.reserve(nodes.size());
  for (NodeRef& node : nodes) out.emplace_back(std::move(node));
  return out;
}

std::vector<NodeRef> with_captures(const TracedFunction& f, std::span<const Tensor> arguments) {
  std::vector<NodeRef> out = refs(arguments);
  out.insert(out.end(), f.captures.begin(), f.captures.end());
  return out;
}

// One claim per parameter: what the caller says of arguments; captures are never selected.
passes::Selection selection(const TracedFunction& f, std::vector<bool> of_arguments) {
  of_arguments.resize(f.argument_count + f.captures.size(), false);
  return of_arguments;
}

std::vector<NodeRef> record_again(const ir::Module& module, ir::Function& function, std::span<const NodeRef> arguments) {
  adopt_callees(module, function);
  return replay(function, arguments);
}

// Identity matrix over all elements of a tensor of this type, as a batch of tensors.
Tensor basis(Type type) {
  Shape shape = type.sizes();
  shape.insert(shape.begin(), type.element_count());
  return reshape(eye(type.element_count(), type.dtype()), shape);
}

// A copy of the module in which to derive, so that the traced function can be transformed again.
struct Workspace {
  std::unique_ptr<ir::Module> module;
  ir::Function* function;
  explicit Workspace(const TracedFunction& f) : module(f.module->clone()), function(module->find(f.function->name)) {}
  std::string name(std::string_view base) const { return module->unique_name(base); }
};

ir::Function& reverse_mode(const TracedFunction& f, Workspace& work, const std::vector<bool>& selected, Location where) {
  const auto vjp = passes::try_vjp(*work.module, *work.function, selection(f, selected), work.name("vjp"));
  if (!vjp) {
    raise(where, "transform.reverse", "the function has no reverse mode: " + vjp.error().text(),
          "use jvp or jacobian(f, true), or a scan where the number of steps is known");
  }
  return **vjp;
}

}  // namespace

std::vector<Type> types_of(std::span<const Tensor> tensors) {
  std::vector<Type> types;
  types.reserve(tensors.size());
  for (const Tensor& t : tensors) types.push_back(t.type());
  return types;
}

Device device_of(std::span<const Tensor> tensors) {
  Placement placement{default_device(), Binding::number};
  for (const Tensor& t : tensors) {
    if (t.ref()->binding > placement.binding) placement = t.ref()->placement();
  }
  return placement.device;
}

Trace::Trace(std::string transform, std::span<const Type> types, std::span<const Tensor> arguments, Location where)
    : transform_(std::move(transform)), where_(where), oldest_(next_sequence()), started_(runtime::now_ticks()) {
  for (std::size_t k = 0; k < types.size(); ++k) {
    parameters_.emplace_back(parameter_node(types[k], arguments[k].ref()->placement(), where));
  }
}

TracedFunction Trace::finish(std::span<const Tensor> outputs) const {
  runtime::Profiler& profiler = instance()->profiler();
  profiler.record(profiler.label({.name = "record " + transform_, .category = "record"}), started_, runtime::now_ticks());
  for (const Tensor& output : outputs) {
    if (output.is_empty()) raise(where_, "tensor.empty", format("{}: the function returned an empty tensor", transform_));
  }
  BuiltFunction built = build_function(transform_, refs(parameters_), refs(outputs), oldest_, where_);
  TracedFunction traced;
  traced.module = std::make_shared<ir::Module>(transform_);
  traced.function = &traced.module->add(std::move(built.function));
  traced.argument_count = parameters_.size();
  traced.captures = std::move(built.captures);
  std::lock_guard lock(graph_mutex());
  copy_callees(*traced.module, *traced.function);
  return traced;
}

void adopt_callees(const ir::Module& module, ir::Function& function) {
  for (ir::OpId id : function.ops()) {
    // The attributes change while they are walked: names first.
    std::vector<std::pair<std::string_view, std::string>> callees;
    for (const auto& [attribute, value] : function.op(id).attributes) {
      if (const auto* callee = std::get_if<ir::SymbolReference>(&value)) callees.emplace_back(attribute, callee->name);
    }
    for (const auto& [attribute, name] : callees) {
      const ir::Function* callee = module.find(name);
      if (callee == nullptr) continue;  // it already lives in the library
      std::unique_ptr<ir::Function> copy = ir::clone(*callee, name);
      adopt_callees(module, *copy);  // depth: nesting of functions
      const std::string content = "f_" + ir::structural_hash(*copy).hex();
      copy->name = content;
      std::lock_guard lock(graph_mutex());
      if (function_library().find(content) == nullptr) function_library().add(std::move(copy));
      function.set_attribute(id, attribute, ir::SymbolReference{content});
    }
  }
}

std::vector<Tensor> apply_function(const TracedFunction& f, std::span<const Tensor> arguments) {
  return tensors_of(replay(*f.function, with_captures(f, arguments)));
}

std::vector<Tensor> apply_vjp(const TracedFunction& f, std::span<const Tensor> arguments,
                              const std::vector<bool>& selected, std::span<const Tensor> cotangents, Location where) {
  const auto span = instance()->profiler().span("vjp", "record");
  Workspace work(f);
  ir::Function& vjp = reverse_mode(f, work, selected, where);
  std::vector<NodeRef> all = with_captures(f, arguments);
  const std::vector<Type> results = f.function->result_types();
  for (std::size_t k = 0; k < results.size(); ++k) {
    if (!is_floating(results[k].dtype())) continue;
    all.push_back(cotangents[k].is_empty() ? splat(results[k], 0, where) : cotangents[k].ref());
  }
  return tensors_of(record_again(*work.module, vjp, all));
}

std::vector<Tensor> apply_jvp(const TracedFunction& f, std::span<const Tensor> arguments,
                              std::span<const Tensor> tangents, Location) {
  const auto span = instance()->profiler().span("jvp", "record");
  Workspace work(f);
  std::vector<bool> active;
  for (const Tensor& tangent : tangents) active.push_back(!tangent.is_empty());
  ir::Function& jvp = passes::jvp(*work.module, *work.function, selection(f, active), work.name("jvp"));
  std::vector<NodeRef> all = with_captures(f, arguments);
  for (const Tensor& tangent : tangents) {
    if (!tangent.is_empty()) all.push_back(tangent.ref());
  }
  return tensors_of(record_again(*work.module, jvp, all));
}

std::vector<Tensor> apply_vmap(const TracedFunction& f, std::span<const Tensor> arguments,
                               const std::vector<bool>& batched, std::int64_t size) {
  const auto span = instance()->profiler().span("vmap", "record");
  Workspace work(f);
  ir::Function& vmap = passes::vmap(*work.module, *work.function, selection(f, batched), Dim(size), work.name("vmap"));
  return tensors_of(record_again(*work.module, vmap, with_captures(f, arguments)));
}

std::vector<Tensor> apply_checkpoint(const TracedFunction& f, std::span<const Tensor> arguments, Location where) {
  static const ir::OpDefinition& call = ir::op("call");
  std::unique_ptr<ir::Function> segment = ir::clone(*f.function, f.function->name);
  passes::mark_checkpoint(*segment);
  const std::string name = "checkpoint_" + ir::structural_hash(*segment).hex();
  segment->name = name;
  {
    std::lock_guard lock(graph_mutex());
    if (function_library().find(name) == nullptr) function_library().add(std::move(segment));
  }
  ir::Attributes attributes;
  attributes.set("callee", ir::SymbolReference{name});
  const NodeRef node = record(call, with_captures(f, arguments), std::move(attributes), where);
  std::vector<Tensor> results;
  for (std::uint32_t k = 0; k < node->types.size(); ++k) results.emplace_back(node.with_result(k));
  return results;
}

Tensor apply_jacobian(const TracedFunction& f, std::span<const Tensor> arguments, bool is_forward, Location where) {
  const Type argument = arguments[0].type(), result = f.function->result_types()[0];
  if (!is_floating(argument.dtype()) || !is_floating(result.dtype())) {
    raise(where, "transform.dtype",
          format("jacobian: {} -> {} has no derivative", argument.text(), result.text()), "convert with to(DType::f32)");
  }
  Workspace work(f);
  std::vector<bool> first(arguments.size(), false);
  first[0] = true;
  ir::Function& derivative = is_forward ? passes::jvp(*work.module, *work.function, selection(f, first), work.name("jvp"))
                                        : reverse_mode(f, work, first, where);
  // One more parameter than f has: the tangent or cotangent. It alone is batched, over a basis of its space.
  std::vector<bool> batched(f.argument_count + f.captures.size(), false);
  batched.push_back(true);
  const Type seed = is_forward ? argument : result;
  ir::Function& all = passes::vmap(*work.module, derivative, batched, Dim(seed.element_count()), work.name("jacobian"));
  std::vector<NodeRef> inputs = with_captures(f, arguments);
  inputs.push_back(basis(seed).ref());
  const Tensor rows = tensors_of(record_again(*work.module, all, inputs)).back();
  Shape shape = result.sizes();
  const Shape inner = argument.sizes();
  shape.insert(shape.end(), inner.begin(), inner.end());
  if (!is_forward) return reshape(rows, shape);
  return reshape(transpose(reshape(rows, {argument.element_count(), result.element_count()})), shape);
}

std::shared_ptr<JitEntry> JitCache::find(std::type_index arguments, const std::string& structure,
                                         std::span<const Type> types, Device device) {
  std::lock_guard lock(mutex_);
  const auto [begin, end] = entries_.equal_range(Key(arguments, structure));
  for (auto it = begin; it != end; ++it) {
    if (it->second->device == device && std::ranges::equal(it->second->types, types)) return it->second;
  }
  return nullptr;
}

std::shared_ptr<JitEntry> JitCache::add(std::type_index arguments, const std::string& structure,
                                        std::vector<Type> types, Device device, TracedFunction traced,
                                        std::vector<bool> donated, std::shared_ptr<const void> prototype) {
  auto entry = std::make_shared<JitEntry>();
  entry->types = std::move(types);
  entry->device = device;
  entry->traced = std::move(traced);
  entry->donated = std::move(donated);
  entry->prototype = std::move(prototype);
  const auto is_traced = [](const NodeRef& node) { return node->is_traced; };
  const bool is_inner = std::ranges::any_of(entry->traced.captures, is_traced);
  std::lock_guard lock(mutex_);
  ++trace_count_;
  if (!is_inner) entries_.emplace(Key(arguments, structure), entry);
  return entry;
}

std::vector<Tensor> JitCache::run(JitEntry& entry, std::span<const Tensor> arguments) const {
  const auto is_traced = [](const NodeRef& node) { return node->is_traced; };
  const std::vector<NodeRef> all = with_captures(entry.traced, arguments);
  if (std::ranges::any_of(all, is_traced)) return apply_function(entry.traced, arguments);
  // The same at every call of this entry: where its arguments are free, the captures decide.
  const Device device = meet("jit", all, arguments.size(), where_).device;
  evaluate(all, where_);
  {
    std::lock_guard lock(graph_mutex());
    if (!entry.executable) {
      auto executable = load(entry.traced.module, entry.traced.function->name, device);
      if (!executable) raise(where_, executable.error());
      entry.executable = *std::move(executable);
    }
  }
  std::vector<Array> arrays;
  for (const NodeRef& node : all) arrays.push_back(value_on(device, node, where_));
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    const auto same = [&](const Array& other) { return other.buffer() == arrays[k].buffer(); };
    // A buffer that is passed twice cannot be given away once.
    if (entry.donated[k] && std::ranges::count_if(arrays, same) == 1) arrays[k] = std::move(arrays[k]).donate();
  }
  auto values = entry.executable->run(arrays);
  if (!values) raise(where_, values.error());
  std::vector<Tensor> results;
  const std::vector<Type> types = entry.traced.function->result_types();
  for (std::size_t k = 0; k < values->size(); ++k) {
    results.emplace_back(data_node(std::move((*values)[k]), types[k], device));
  }
  return results;
}

const Tensor& placeholder() {
  static const Tensor* scalar = [] {
    const ScopedDevice host{Device()};
    return new Tensor(tensor(0.0));
  }();
  return *scalar;
}

}  // namespace hyperion::frontend

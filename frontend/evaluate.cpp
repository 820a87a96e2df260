#include <algorithm>
#include <bit>
#include <functional>
#include <list>
#include <unordered_map>

#include "frontend/error.hpp"
#include "frontend/graph.hpp"
#include "frontend/graph_internal.hpp"
#include "ir/support/format.hpp"

namespace hyperion::frontend {
namespace {

std::atomic<std::uint64_t> evaluation_count{0};
std::atomic<std::uint64_t> load_count{0};

std::uint32_t next_mark() {
  static std::uint32_t mark = 0;  // guarded by graph_mutex()
  return ++mark;
}

// Walks a graph depth first, inputs before users, without recursion, and writes the ops down as a func.
class FunctionBuilder {
 public:
  FunctionBuilder(std::string name, std::uint64_t oldest, Location where)
      : function_(std::make_unique<ir::Function>(std::move(name), ir::FunctionKind::func)),
        oldest_(oldest),
        where_(where),
        mark_(next_mark()) {}

  void parameter(const NodeRef& ref) {
    define(ref.get());
    values_[ref->slot] = function_->add_parameter(ref.type(), {}, ref->location);
  }

  void reach(const NodeRef& root) {
    if (root->mark == mark_) return;
    open(root.get());
    while (!stack_.empty()) {
      auto& [node, next] = stack_.back();
      if (next < node->inputs.size()) {
        Node* input = node->inputs[next++].get();
        if (input->mark != mark_) open(input);
      } else {
        if (node->mark != mark_) emit(node);
        stack_.pop_back();
      }
    }
  }

  BuiltFunction finish(std::span<const NodeRef> roots) && {
    std::vector<ir::ValueId> results;
    for (const NodeRef& root : roots) results.push_back(value(root));
    static const ir::OpDefinition& return_op = ir::op("return");
    function_->insert_op(function_->body(), {}, return_op, std::move(results), {}, {}, where_);
    function_->location = where_;
    return {std::move(function_), std::move(captures_)};
  }

 private:
  void open(Node* node) {
    const bool is_capture = node->is_evaluated() || node->sequence < oldest_;
    if (is_capture) return capture(node);
    if (node->is_parameter()) {
      raise(where_, "trace.leaked", "a tensor of a function being traced is used outside of it",
            "return it from the function instead of storing it elsewhere");
    }
    stack_.emplace_back(node, 0);
  }

  // A node gets one parameter for each of its results, in order.
  void capture(Node* node) {
    define(node);
    node->references.fetch_add(1, std::memory_order_relaxed);
    NodeRef ref(node);
    for (std::uint32_t k = 0; k < node->types.size(); ++k) {
      values_[node->slot + k] = function_->add_parameter(node->types[k], {}, node->location);
      captures_.push_back(ref.with_result(k));
    }
  }

  void define(Node* node) {
    node->mark = mark_;
    node->slot = static_cast<std::uint32_t>(values_.size());
    values_.resize(values_.size() + node->types.size());
  }

  void emit(Node* node) {
    std::vector<ir::ValueId> operands;
    operands.reserve(node->inputs.size());
    for (const NodeRef& input : node->inputs) operands.push_back(value(input));
    const ir::OpId op = function_->insert_op(function_->body(), {}, *node->definition,
                                             std::move(operands), node->types, node->attributes,
                                             node->location);
    define(node);
    const auto& results = function_->op(op).results;
    std::ranges::copy(results, values_.begin() + node->slot);
  }

  ir::ValueId value(const NodeRef& ref) const { return values_[ref->slot + ref.result()]; }

  std::unique_ptr<ir::Function> function_;
  const std::uint64_t oldest_;
  const Location where_;
  const std::uint32_t mark_;
  std::vector<std::pair<Node*, std::size_t>> stack_;
  std::vector<ir::ValueId> values_;
  std::vector<NodeRef> captures_;
};

// Executables by the structure of their function; the least recently used is forgotten first.
class ExecutableCache {
 public:
  static constexpr std::size_t kCapacity = 512;

  std::shared_ptr<Executable> find_or_load(std::unique_ptr<ir::Function> function, Device device, Location where) {
    const Hash128 hash = ir::structural_hash(*function);
    // An executable belongs to the engine, the instance and the device that it was made for; it keeps its instance
    // alive.
    const std::uint64_t maker =
        hash_combine(reinterpret_cast<std::uintptr_t>(instance().get()),
                     static_cast<std::uint64_t>(engine_options().kind) * 2 + engine_options().fast);
    const std::uint64_t key = hash_combine(hash.low, hash_combine(maker, std::bit_cast<std::uint32_t>(device)));
    if (const auto found = index_.find(key); found != index_.end() &&
        found->second->hash == hash && ir::structurally_equal(*found->second->function, *function)) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return entries_.front().executable;
    }
    auto module = std::make_shared<ir::Module>("lazy");
    const ir::Function* owned = &module->add(std::move(function));
    copy_callees(*module, *owned);
    load_count.fetch_add(1, std::memory_order_relaxed);
    auto executable = load(module, owned->name, device);
    if (!executable) raise(where, executable.error());
    entries_.push_front({key, hash, module, owned, *std::move(executable)});
    index_[key] = entries_.begin();
    if (entries_.size() > kCapacity) {
      index_.erase(entries_.back().key);
      entries_.pop_back();
    }
    return entries_.front().executable;
  }

 private:
  struct Entry {
    std::uint64_t key;
    Hash128 hash;
    std::shared_ptr<const ir::Module> module;
    const ir::Function* function;
    std::shared_ptr<Executable> executable;
  };
  std::list<Entry> entries_;
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> index_;
};

void require_readable(const NodeRef& root, Location where) {
  if (!root) {
    raise(where, "tensor.empty", "an empty tensor has no value",
          "a default-constructed Tensor holds nothing; assign to it first");
  }
  if (!root->is_traced) return;
  Diagnostics diagnostics;
  Diagnostic& report = diagnostics.error(
      "trace.read", "the value of a tensor was read inside a function being traced", {}, where);
  if (root->location.known()) report.note(root->location, "it depends on the function's arguments, and was recorded here");
  report.hint = "return the tensor and read it outside, or compute with where() instead of branching";
  raise(diagnostics);
}

// Runs the roots' function and settles their nodes. REQUIRES: all roots are pending, their device is `device`, and
// graph_mutex() is held.
void run(std::span<const NodeRef> nodes, Device device, Location where) {
  static ExecutableCache* cache = new ExecutableCache;
  std::vector<NodeRef> results;
  for (const NodeRef& node : nodes) {
    for (std::uint32_t k = 0; k < node->types.size(); ++k) results.push_back(node.with_result(k));
  }
  BuiltFunction built = build_function("lazy", {}, results, 0, where);
  const std::shared_ptr<Executable> executable = cache->find_or_load(std::move(built.function), device, where);
  std::vector<Array> arguments;
  arguments.reserve(built.captures.size());
  for (const NodeRef& capture : built.captures) arguments.push_back(value_on(device, capture, where));
  evaluation_count.fetch_add(1, std::memory_order_relaxed);
  auto values = executable->run(arguments);
  if (!values) raise(where, values.error());
  auto next = values->begin();
  for (const NodeRef& node : nodes) {
    const auto end = next + static_cast<std::ptrdiff_t>(node->types.size());
    settle(node.get(), {std::make_move_iterator(next), std::make_move_iterator(end)});
    next = end;
  }
}

// The pending nodes that somebody other than a pending node refers to, and that share work with `wanted`: they depend on
// what it needs, or it on them. Computing these along means that nothing is computed twice and that the graph of a
// training loop shrinks at every read, whichever of its tensors is read.
std::vector<NodeRef> held_nodes(std::span<const NodeRef> wanted, bool all) {
  const std::vector<PendingNode> pending = pending_nodes();
  const std::uint32_t counting = next_mark();
  for (const PendingNode& p : pending) {
    for (const NodeRef& input : p.node->inputs) {
      if (input->mark != counting) input->slot = 0;
      input->mark = counting;
      ++input->slot;
    }
  }
  std::vector<bool> is_held;
  for (const PendingNode& p : pending) {
    const std::uint32_t internal = p.node->mark == counting ? p.node->slot : 0;
    is_held.push_back(p.references > internal && !p.node->is_traced);
  }
  // Inputs precede users in the list, so one pass back marks what is needed and one forward what shares it.
  const std::uint32_t sharing = next_mark();
  for (const NodeRef& node : wanted) node->mark = sharing;
  for (auto p = pending.rbegin(); p != pending.rend(); ++p) {
    if (p->node->mark != sharing) continue;
    for (const NodeRef& input : p->node->inputs) input->mark = sharing;
  }
  std::vector<const Node*> asked;
  for (const NodeRef& node : wanted) asked.push_back(node.get());
  std::ranges::sort(asked);
  std::vector<NodeRef> held;
  for (std::size_t k = 0; k < pending.size(); ++k) {
    Node* node = pending[k].node.get();
    for (const NodeRef& input : node->inputs) {
      if (!input->is_evaluated() && input->mark == sharing) node->mark = sharing;
    }
    const bool is_wanted = std::ranges::binary_search(asked, node);
    if (is_wanted || (is_held[k] && (all || node->mark == sharing))) held.push_back(pending[k].node);
  }
  return held;
}

// Runs `extended` of the nodes of each device in turn, but for what it adds of other devices.
template <class Extend>
void run_on_each_device(std::vector<NodeRef> nodes, Location where, Extend extended) {
  while (!nodes.empty()) {
    const Device device = nodes.front()->device;
    const auto is_elsewhere = [&](const NodeRef& node) { return node->device != device; };
    const auto others = std::ranges::stable_partition(nodes, std::not_fn(is_elsewhere));
    std::vector<NodeRef> here = extended(std::span<const NodeRef>(nodes.begin(), others.begin()));
    std::erase_if(here, is_elsewhere);
    run(here, device, where);
    nodes.erase(nodes.begin(), others.begin());
  }
}

}  // namespace

Array value_on(Device device, const NodeRef& node, Location where) {
  if (node->device == device) return *node.value();
  HYP_CHECK(node->binding != Binding::placed, "a placed tensor meets only tensors of its device");
  auto copy = copy_to(device, *node.value());
  if (!copy) raise(where, copy.error());
  return *std::move(copy);
}

BuiltFunction build_function(std::string name, std::span<const NodeRef> parameters,
                             std::span<const NodeRef> roots, std::uint64_t oldest, Location where) {
  std::lock_guard lock(graph_mutex());
  FunctionBuilder builder(std::move(name), oldest, where);
  for (const NodeRef& parameter : parameters) builder.parameter(parameter);
  for (const NodeRef& root : roots) builder.reach(root);
  return std::move(builder).finish(roots);
}

void evaluate(std::span<const NodeRef> roots, Location where) {
  std::lock_guard lock(graph_mutex());
  std::vector<NodeRef> wanted;
  for (const NodeRef& root : roots) {
    require_readable(root, where);
    if (!root->is_evaluated()) wanted.push_back(root);
  }
  if (wanted.empty()) return;
  run_on_each_device(wanted, where, [](std::span<const NodeRef> nodes) { return held_nodes(nodes, false); });
  restore_threshold();
}

void evaluate_held(Location where) {
  std::lock_guard lock(graph_mutex());
  const std::vector<NodeRef> held = held_nodes({}, true);
  const auto as_they_are = [](std::span<const NodeRef> nodes) { return std::vector(nodes.begin(), nodes.end()); };
  run_on_each_device(held, where, as_they_are);
  unevaluated_node_count() > node_limit() / 2 ? relax_threshold() : restore_threshold();
}

std::vector<NodeRef> replay(const ir::Function& function, std::span<const NodeRef> arguments) {
  std::vector<NodeRef> values(function.value_slots());
  for (std::size_t k = 0; k < arguments.size(); ++k) values[function.parameters()[k].index] = arguments[k];
  std::vector<NodeRef> results;
  for (ir::OpId id : function.ops()) {
    const ir::Op& op = function.op(id);
    std::vector<NodeRef> inputs;
    for (ir::ValueId operand : op.operands) inputs.push_back(values[operand.index]);
    if (op.is("return")) return inputs;
    const NodeRef node = record(*op.definition, std::move(inputs), op.attributes, op.location);
    for (std::uint32_t k = 0; k < op.results.size(); ++k) values[op.results[k].index] = node.with_result(k);
  }
  return results;
}

GraphStatistics graph_statistics() { return {recorded_op_count(), evaluation_count, load_count}; }

}  // namespace hyperion::frontend

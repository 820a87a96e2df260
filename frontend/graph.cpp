#include "frontend/graph.hpp"

#include <deque>
#include <unordered_map>

#include "frontend/error.hpp"
#include "frontend/graph_internal.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"

namespace hyperion::frontend {
namespace {

// Small enough that a forgotten loop costs tens of megabytes, large enough that no training step reaches it.
constexpr std::size_t kDefaultNodeLimit = std::size_t{1} << 16;

// Allocates nodes from chunks and keeps the list of those that are recorded but not evaluated.
class NodePool {
 public:
  static NodePool& get() {
    static NodePool* pool = new NodePool;
    return *pool;
  }

  Node* create() {
    std::lock_guard lock(mutex);
    void* memory;
    if (free_.empty()) {
      if (chunk_used_ == kChunk) {
        chunks_.push_back(std::make_unique<Cell[]>(kChunk));
        chunk_used_ = 0;
      }
      memory = &chunks_.back()[chunk_used_++];
    } else {
      memory = free_.back();
      free_.pop_back();
    }
    Node* node = new (memory) Node;
    node->sequence = sequence++;
    return node;
  }

  // The node is complete: it joins the list.
  void link(Node* node) {
    std::lock_guard lock(mutex);
    node->previous = last;
    node->next = nullptr;
    (last == nullptr ? first : last->next) = node;
    last = node;
    ++pending;
  }

  void unlink(Node* node) {
    std::lock_guard lock(mutex);
    if (node->previous == nullptr && first != node) return;  // not in the list
    (node->previous == nullptr ? first : node->previous->next) = node->next;
    (node->next == nullptr ? last : node->next->previous) = node->previous;
    node->previous = node->next = nullptr;
    --pending;
  }

  void recycle(Node* node) {
    node->~Node();
    std::lock_guard lock(mutex);
    free_.push_back(node);
  }

  std::mutex mutex;
  Node* first = nullptr;
  Node* last = nullptr;
  std::size_t pending = 0;
  std::uint64_t sequence = 1;

 private:
  static constexpr std::size_t kChunk = 256;  // nodes: about 50 KiB
  struct alignas(Node) Cell {
    std::byte bytes[sizeof(Node)];
  };
  std::vector<std::unique_ptr<Cell[]>> chunks_;
  std::vector<void*> free_;
  std::size_t chunk_used_ = kChunk;
};

std::atomic<std::size_t> limit{kDefaultNodeLimit};
std::atomic<std::size_t> threshold{kDefaultNodeLimit};
std::atomic<std::uint64_t> recorded_ops{0};

// Composites without a type rule are written out to find their types, and rules with many attributes allocate: both cost
// microseconds, so what they say is remembered.
class RememberedTypes {
 public:
  const std::vector<Type>* find(const ir::OpDefinition& op, std::span<const Type> operands,
                                const ir::Attributes& attributes) {
    const auto [begin, end] = entries_.equal_range(key(op, operands, attributes));
    for (auto it = begin; it != end; ++it) {
      const Entry& e = it->second;
      if (e.op == &op && std::ranges::equal(e.operands, operands) && e.given == attributes) return &e.results;
    }
    return nullptr;
  }
  void add(const ir::OpDefinition& op, std::span<const Type> operands, const ir::Attributes& given,
           std::vector<Type> results) {
    if (entries_.size() >= kLimit) entries_.clear();
    entries_.emplace(key(op, operands, given),
                     Entry{&op, {operands.begin(), operands.end()}, given, std::move(results)});
  }

 private:
  static constexpr std::size_t kLimit = 4096;
  struct Entry {
    const ir::OpDefinition* op;
    std::vector<Type> operands;
    ir::Attributes given;
    std::vector<Type> results;
  };
  static std::uint64_t key(const ir::OpDefinition& op, std::span<const Type> operands,
                           const ir::Attributes& attributes) {
    std::uint64_t h = hash_combine(op.index, attributes.hash());
    for (Type type : operands) h = hash_combine(h, type.hash());
    return h;
  }
  std::unordered_multimap<std::uint64_t, Entry> entries_;
};

// Takes one more operand into account. False: both are placed, and not on the same device.
bool join(Placement& placement, bool is_first, const Node& input) {
  if (is_first || input.binding > placement.binding) {
    placement = input.placement();
    return true;
  }
  return input.binding != Binding::placed || input.device == placement.device;
}

template <class Describe>
[[noreturn]] void raise_two_devices(std::string_view what, std::span<const NodeRef> inputs, Location where,
                                    Describe describe) {
  std::size_t first = 0;
  while (inputs[first]->binding != Binding::placed) ++first;
  std::size_t other = first + 1;
  while (inputs[other]->binding != Binding::placed || inputs[other]->device == inputs[first]->device) ++other;
  const std::string one = inputs[first]->device.name(), two = inputs[other]->device.name();
  raise(where, "tensor.device", format("{}: {} is on {}, {} on {}", what, describe(first), one, describe(other), two),
        format("copy one to the other's device first, as in x.to(\"{}\")", one));
}

std::vector<Type> types_of(const ir::OpDefinition& op, std::span<const Type> operands,
                           ir::Attributes& attributes, Location where) {
  Diagnostics diagnostics;
  const auto infer = [&]() -> std::vector<Type> {
    std::unique_lock<std::recursive_mutex> lock;
    if (op.group == ir::OpGroup::control) lock = std::unique_lock(graph_mutex());
    const ir::Module* callees = lock.owns_lock() ? &function_library() : nullptr;
    auto types = ir::infer_types(op, operands, attributes, callees, diagnostics, where);
    if (!types) raise(diagnostics);
    return *std::move(types);
  };
  constexpr std::size_t kManyAttributes = 4;  // dot, conv, pooling
  if (op.infer && op.attributes.size() < kManyAttributes) return infer();
  if (op.group == ir::OpGroup::control) return infer();  // its types depend on functions
  thread_local RememberedTypes cache;
  const ir::Attributes given = attributes;
  if (const std::vector<Type>* known = cache.find(op, operands, given)) {
    for (const ir::AttributeSpec& spec : op.attributes) {
      if (attributes.find(spec.name) == nullptr) attributes.set(spec.name, *spec.default_value);
    }
    return *known;
  }
  std::vector<Type> types = infer();
  cache.add(op, operands, given, types);
  return types;
}

}  // namespace

NodeRef::NodeRef(const NodeRef& other) noexcept : node_(other.node_), result_(other.result_) {
  if (node_ != nullptr) node_->references.fetch_add(1, std::memory_order_relaxed);
}

NodeRef NodeRef::with_result(std::uint32_t result) const {
  NodeRef copy = *this;
  copy.result_ = result;
  return copy;
}

void NodeRef::release(Node* node) noexcept {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Destroying a node releases its inputs, which may destroy them, and so on: a worklist instead of the call stack.
  thread_local std::vector<Node*>* dying = nullptr;
  if (dying != nullptr) {
    dying->push_back(node);
    return;
  }
  std::vector<Node*> worklist{node};
  dying = &worklist;
  while (!worklist.empty()) {
    Node* next = worklist.back();
    worklist.pop_back();
    NodePool::get().unlink(next);
    NodePool::get().recycle(next);
  }
  dying = nullptr;
}

NodeRef record(const ir::OpDefinition& op, std::vector<NodeRef> inputs, ir::Attributes attributes,
               Location where) {
  Type operand_types[16];
  std::vector<Type> many;
  std::span<Type> operands(operand_types, std::min<std::size_t>(inputs.size(), 16));
  if (inputs.size() > 16) {
    many.resize(inputs.size());
    operands = many;
  }
  bool traced = false;
  bool is_one_device = true;
  Placement placement;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!inputs[k]) {
      raise(where, "tensor.empty", format("{}: operand {} is an empty tensor", op.name, k),
            "a default-constructed Tensor holds nothing; assign to it first");
    }
    operands[k] = inputs[k].type();
    traced |= inputs[k]->is_traced;
    is_one_device &= join(placement, k == 0, *inputs[k].get());
  }
  if (inputs.empty()) placement = {default_device(), Binding::free};
  if (!is_one_device) {
    raise_two_devices(op.name, inputs, where, [](std::size_t k) { return format("operand {}", k); });
  }
  std::vector<Type> types = types_of(op, operands, attributes, where);

  Node* node = NodePool::get().create();
  node->is_traced = traced;
  node->place(placement);
  node->location = where;
  node->definition = &op;
  node->attributes = std::move(attributes);
  node->inputs = std::move(inputs);
  node->types = std::move(types);
  NodeRef result(node);
  NodePool::get().link(node);
  recorded_ops.fetch_add(1, std::memory_order_relaxed);
  if (unevaluated_node_count() > threshold.load(std::memory_order_relaxed)) evaluate_held(where);
  return result;
}

Placement meet(std::string_view what, std::span<const NodeRef> inputs, std::size_t argument_count, Location where) {
  if (inputs.empty()) return {default_device(), Binding::free};
  Placement placement;
  bool is_one_device = true;
  for (std::size_t k = 0; k < inputs.size(); ++k) is_one_device &= join(placement, k == 0, *inputs[k].get());
  if (!is_one_device) {
    raise_two_devices(what, inputs, where, [=](std::size_t k) {
      return k < argument_count ? format("argument {}", k) : std::string("a captured tensor");
    });
  }
  return placement;
}

NodeRef data_node(Array value, Type type, Device device) {
  Node* node = NodePool::get().create();
  node->place({device, Binding::placed});
  node->types.push_back(type);
  node->values.push_back(std::move(value));
  return NodeRef(node);
}

NodeRef parameter_node(Type type, Placement placement, Location where) {
  Node* node = NodePool::get().create();
  node->place(placement);
  node->types.push_back(type);
  node->is_traced = true;
  node->location = where;
  return NodeRef(node);
}

std::recursive_mutex& graph_mutex() {
  static std::recursive_mutex* mutex = new std::recursive_mutex;
  return *mutex;
}

std::uint64_t next_sequence() {
  std::lock_guard lock(NodePool::get().mutex);
  return NodePool::get().sequence;
}

std::size_t node_limit() { return limit; }

void set_node_limit(std::size_t nodes) {
  limit = nodes;
  threshold = nodes;
}

void relax_threshold() { threshold = unevaluated_node_count() + limit; }
void restore_threshold() { threshold = limit.load(); }

std::size_t unevaluated_node_count() {
  std::lock_guard lock(NodePool::get().mutex);
  return NodePool::get().pending;
}

std::uint64_t recorded_op_count() { return recorded_ops; }

void settle(Node* node, std::vector<Array> values) {
  NodePool::get().unlink(node);
  node->values = std::move(values);
  node->inputs.clear();
  node->attributes = {};
  node->definition = nullptr;
}

std::vector<PendingNode> pending_nodes() {
  NodePool& pool = NodePool::get();
  std::vector<PendingNode> out;
  std::lock_guard lock(pool.mutex);
  out.reserve(pool.pending);
  for (Node* node = pool.first; node != nullptr; node = node->next) {
    // A node that another thread is about to destroy has no references left and must stay that way.
    std::uint32_t references = node->references.load(std::memory_order_relaxed);
    while (references != 0 && !node->references.compare_exchange_weak(references, references + 1)) {
    }
    if (references != 0) out.push_back({NodeRef(node), references});
  }
  return out;
}

ir::Module& function_library() {
  static ir::Module* library = new ir::Module("library");
  return *library;
}

void copy_callees(ir::Module& module, const ir::Function& root) {
  std::vector<const ir::Function*> worklist{&root};
  while (!worklist.empty()) {
    const ir::Function* function = worklist.back();
    worklist.pop_back();
    for (ir::OpId id : function->ops()) {
      for (const auto& [name, value] : function->op(id).attributes) {
        const auto* callee = std::get_if<ir::SymbolReference>(&value);
        if (callee == nullptr || module.find(callee->name) != nullptr) continue;
        const ir::Function* found = function_library().find(callee->name);
        HYP_CHECK(found != nullptr, "a recorded op refers to a function that is not in the library");
        worklist.push_back(&module.add(ir::clone(*found, found->name)));
      }
    }
  }
}

}  // namespace hyperion::frontend

// graph.hpp: the lazy graph behind Tensor. Internal to the frontend.
//
// A Node is one recorded op, or data, or a parameter of a trace. Nodes are counted references: a Tensor is a node and
// a result number. Recording appends a node and returns at once; evaluation turns the needed nodes into an ir::Function,
// runs it, and stores the values in the nodes, which then drop their inputs.
//
// Invariants:
//   (G1) inputs of a node were created before it: `sequence` grows along every edge.
//   (G2) a node has values, or a definition, or is a parameter of a trace.
//   (G3) `is_traced` says that a node depends on a parameter of a trace, so its value does not exist.
//   (G4) no walk recurses: graphs are as deep as a program runs long.
//   (G5) placed inputs of a node are on its device; values are on the device of their node.
//
// Unevaluated nodes are bounded: beyond node_limit(), recording evaluates what the program still holds.
//
// Thread safety: reference counts are atomic and types never change, so tensors may be handed between threads. Reading
// values, marks and inputs happens under graph_mutex().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "frontend/device.hpp"
#include "frontend/engine.hpp"
#include "ir/attributes.hpp"
#include "ir/module.hpp"
#include "ir/support/location.hpp"

namespace hyperion::frontend {

struct Node;

// A counted reference to one result of a node.
class NodeRef {
 public:
  NodeRef() = default;
  explicit NodeRef(Node* adopted, std::uint32_t result = 0) : node_(adopted), result_(result) {}
  NodeRef(const NodeRef& other) noexcept;
  NodeRef(NodeRef&& other) noexcept : node_(other.node_), result_(other.result_) { other.node_ = nullptr; }
  NodeRef& operator=(NodeRef other) noexcept {
    std::swap(node_, other.node_);
    std::swap(result_, other.result_);
    return *this;
  }
  ~NodeRef() {
    if (node_ != nullptr) release(node_);
  }

  explicit operator bool() const { return node_ != nullptr; }
  Node* operator->() const { return node_; }
  Node* get() const { return node_; }
  std::uint32_t result() const { return result_; }
  NodeRef with_result(std::uint32_t result) const;
  inline Type type() const;
  inline const Array* value() const;  // null: not evaluated
  Node* leak() { return std::exchange(node_, nullptr); }

 private:
  static void release(Node* node) noexcept;

  Node* node_ = nullptr;
  std::uint32_t result_ = 0;
};

struct Node {
  std::atomic<std::uint32_t> references{1};
  std::uint32_t mark = 0;                          // of the current walk; see GraphWalk
  std::uint32_t slot = 0;                          // what the current walk stores here
  bool is_traced = false;
  Binding binding = Binding::number;
  Device device;
  Location location;
  std::uint64_t sequence = 0;
  const ir::OpDefinition* definition = nullptr;    // null: data, or a parameter of a trace
  ir::Attributes attributes;
  std::vector<NodeRef> inputs;
  std::vector<Type> types;                         // of the results
  std::vector<Array> values;                       // of the results; empty: not evaluated
  std::unique_ptr<std::vector<Array>> host_values; // copies that bytes() gave out; null: none
  Node* previous = nullptr;                        // the list of live unevaluated nodes
  Node* next = nullptr;

  bool is_evaluated() const { return !values.empty(); }
  bool is_parameter() const { return definition == nullptr && values.empty(); }
  Placement placement() const { return {device, binding}; }
  void place(Placement there) {
    device = there.device;
    binding = there.binding;
  }
};

inline Type NodeRef::type() const { return node_->types[result_]; }
inline const Array* NodeRef::value() const {
  return node_->values.empty() ? nullptr : &node_->values[result_];
}

// Checks the op against its type rule and appends it. Errors are thrown with the user's line. The reference is to the
// first result.
NodeRef record(const ir::OpDefinition& op, std::vector<NodeRef> inputs, ir::Attributes attributes,
               Location where);
// REQUIRES: `value` is on `device`.
NodeRef data_node(Array value, Type type, Device device);
NodeRef parameter_node(Type type, Placement placement, Location where);
// Where a function runs that takes these arguments and then captures: where the firmest of them is, the first among
// equals; without any, on the default device. Two that are placed on different devices are an error of `what`.
Placement meet(std::string_view what, std::span<const NodeRef> inputs, std::size_t argument_count, Location where);

std::recursive_mutex& graph_mutex();
// The sequence number that the next node will have.
std::uint64_t next_sequence();
// The value of an evaluated node, on its own device or, if it is free, as a copy on another.
Array value_on(Device device, const NodeRef& node, Location where);

// Computes all of `roots` that have no value yet, those of each device together. Errors are thrown with `where`.
void evaluate(std::span<const NodeRef> roots, Location where);

// How many unevaluated nodes may exist, and how many do.
std::size_t node_limit();
void set_node_limit(std::size_t limit);
std::size_t unevaluated_node_count();

// Functions that recorded ops refer to (bodies of loops, checkpointed segments), named by content.
ir::Module& function_library();
// Copies `root`'s callees, and theirs, from the library into `module`.
void copy_callees(ir::Module& module, const ir::Function& root);

// ---- building functions ----------------------------------------------------------------------------------------

// The graph under some roots as a func: parameters are `parameters` in order, then what the walk meets that has a value
// or is older than `oldest` (the captures), in order of first use. The order of ops is that of a depth-first walk, so
// equal graphs give equal functions.
struct BuiltFunction {
  std::unique_ptr<ir::Function> function;
  std::vector<NodeRef> captures;
};
BuiltFunction build_function(std::string name, std::span<const NodeRef> parameters,
                             std::span<const NodeRef> roots, std::uint64_t oldest, Location where);

// Records the ops of a func again, on other arguments.
std::vector<NodeRef> replay(const ir::Function& function, std::span<const NodeRef> arguments);

// ---- counters, for tests and profiles --------------------------------------------------------------------------

struct GraphStatistics {
  std::uint64_t recorded = 0;     // ops
  std::uint64_t evaluations = 0;  // functions run by lazy evaluation
  std::uint64_t loads = 0;        // functions that had to be made ready
};
GraphStatistics graph_statistics();

}  // namespace hyperion::frontend

// trace.hpp: functions as data. Internal to the frontend; users have transforms.hpp.
//
// A Trace calls nothing: it makes stand-ins for arguments, the caller runs the user's function on them, and finish()
// writes down what was recorded. What the function uses from outside is a *capture*: an extra argument, with the value
// it has when the function is traced. Transforms are func -> func (passes/), and their result is either recorded again on
// the real arguments, so that transforms nest, or loaded and run.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <typeindex>
#include <vector>

#include "frontend/tensor.hpp"
#include "passes/selection.hpp"

namespace hyperion::frontend {

// A func of its own module, with the functions it calls. Its parameters are the arguments, then the captures.
struct TracedFunction {
  std::shared_ptr<ir::Module> module;
  ir::Function* function = nullptr;
  std::size_t argument_count = 0;
  std::vector<NodeRef> captures;
};

class Trace {
 public:
  // Stand-ins of these types, on the devices of the arguments. `transform` names the traced function in dumps: "jit",
  // "grad".
  Trace(std::string transform, std::span<const Type> types, std::span<const Tensor> arguments, Location where);

  const std::vector<Tensor>& parameters() const { return parameters_; }
  TracedFunction finish(std::span<const Tensor> outputs) const;

 private:
  std::string transform_;
  Location where_;
  std::uint64_t oldest_;
  runtime::Ticks started_;  // for profiles: from here to finish() the user's function runs
  std::vector<Tensor> parameters_;
};

std::vector<Type> types_of(std::span<const Tensor> tensors);
// Where a function of these runs, captures aside: the device of the firmest of them.
Device device_of(std::span<const Tensor> tensors);

// ---- transforms; each records on `arguments` --------------------------------------------------------------------

std::vector<Tensor> apply_function(const TracedFunction& f, std::span<const Tensor> arguments);
// Results of f, then a cotangent for each selected argument. `cotangents` has one for each result; empty stands for zero.
std::vector<Tensor> apply_vjp(const TracedFunction& f, std::span<const Tensor> arguments,
                              const std::vector<bool>& selected, std::span<const Tensor> cotangents, Location where);
// Results of f, then a tangent for each floating result. `tangents` has one for each argument; empty stands for zero.
std::vector<Tensor> apply_jvp(const TracedFunction& f, std::span<const Tensor> arguments,
                              std::span<const Tensor> tangents, Location where);
std::vector<Tensor> apply_vmap(const TracedFunction& f, std::span<const Tensor> arguments,
                               const std::vector<bool>& batched, std::int64_t size);
std::vector<Tensor> apply_checkpoint(const TracedFunction& f, std::span<const Tensor> arguments, Location where);
// Jacobians of the first result by the first argument, [result..., argument...].
Tensor apply_jacobian(const TracedFunction& f, std::span<const Tensor> arguments, bool is_forward, Location where);

// Puts the functions that `function` calls into the library, under names made of their content.
void adopt_callees(const ir::Module& module, ir::Function& function);

// ---- jit -----------------------------------------------------------------------------------------------------

// What one signature of a jitted function was compiled to.
struct JitEntry {
  std::vector<Type> types;
  Device device;  // of the arguments
  TracedFunction traced;
  std::shared_ptr<Executable> executable;  // null until the first run
  std::vector<bool> donated;               // per argument
  std::shared_ptr<const void> prototype;   // of the result, with placeholders for tensors
};

class JitCache {
 public:
  explicit JitCache(Location where) : where_(where) {}
  // Null: not traced yet. `structure` says everything about the arguments but their tensors' types.
  std::shared_ptr<JitEntry> find(std::type_index arguments, const std::string& structure, std::span<const Type> types,
                                 Device device);
  // Functions that capture a value of an outer trace are not kept.
  std::shared_ptr<JitEntry> add(std::type_index arguments, const std::string& structure, std::vector<Type> types,
                                Device device, TracedFunction traced, std::vector<bool> donated,
                                std::shared_ptr<const void> prototype);
  std::vector<Tensor> run(JitEntry& entry, std::span<const Tensor> arguments) const;

  Location where() const { return where_; }
  std::size_t trace_count() const { return trace_count_; }

 private:
  using Key = std::pair<std::type_index, std::string>;
  const Location where_;
  std::mutex mutex_;
  std::multimap<Key, std::shared_ptr<JitEntry>> entries_;
  std::size_t trace_count_ = 0;
};

// Stands for a tensor in a prototype.
const Tensor& placeholder();

}  // namespace hyperion::frontend

// transforms.hpp: what derivative and batching rules are given, and what they must return.
//
// Rules only append ops through `builder`, and functions through `functions`; the transforms themselves (jvp, transpose, vmap over whole functions) live in
// passes/autodiff and passes/batching.
// Composites (OpDefinition::decompose) are given a DecomposeContext.
#pragma once

#include <vector>

#include "ir/builder.hpp"

namespace hyperion::ir {

// What rules of ops that call functions (cond, while, scan) may ask for: functions derived from others of the module.
// Each is derived once; in the end those that nothing calls are erased. Implemented in passes/autodiff/derivatives.hpp.
class FunctionTransforms {
 public:
  virtual ~FunctionTransforms() = default;
  virtual Module& module() const = 0;
  // Parameters: those of f, then a tangent for each active one. Results: those of f, then a tangent for each floating one.
  virtual const Function& jvp_of(const Function& f, const std::vector<bool>& active) = 0;
  // Parameters: those of f that are not linear, then a cotangent for each linear result. Results: a cotangent for each
  // linear parameter.
  virtual const Function& transpose_of(const Function& f, const std::vector<bool>& linear) = 0;
  virtual std::vector<bool> linear_results_of(const Function& f, const std::vector<bool>& linear) = 0;
  // Parameters: those of f, batched ones with `size` in front. All results are batched.
  virtual const Function& vmap_of(const Function& f, const std::vector<bool>& batched, Dim size) = 0;
  // A function that a rule wrote itself; its name becomes unique in the module.
  virtual const Function& add(std::unique_ptr<Function> function) = 0;
};

// Forward mode. All values belong to `builder`, the function being written.
struct JvpContext {
  Builder& builder;
  const OpDefinition& definition;
  const Attributes& attributes;
  std::vector<Value> operands;  // primals
  std::vector<Value> results;   // primals, already computed
  std::vector<Value> tangents;  // of the operands; invalid = zero
  FunctionTransforms* functions = nullptr;

  Value operand(int k) const { return operands[static_cast<std::size_t>(k)]; }
  Value result(int k = 0) const { return results[static_cast<std::size_t>(k)]; }
  // REQUIRES: rules check has_tangent(k) where more than one operand may be active.
  Value tangent(int k = 0) const { return tangents[static_cast<std::size_t>(k)]; }
  bool has_tangent(int k) const { return tangent(k).valid(); }
};

// Reverse mode, for an op applied to values of which some are linear functions of what is being transposed.
struct TransposeContext {
  Builder& builder;
  const OpDefinition& definition;
  const Attributes& attributes;
  std::vector<Value> operands;        // invalid where the operand is linear: its value must not be used
  std::vector<Type> operand_types;
  std::vector<Type> result_types;
  std::vector<Value> cotangents;      // of the results; invalid = zero, but never all of them
  FunctionTransforms* functions = nullptr;

  bool is_linear(int k) const { return !operands[static_cast<std::size_t>(k)].valid(); }
  Value operand(int k) const { return operands[static_cast<std::size_t>(k)]; }
  Type type(int k) const { return operand_types[static_cast<std::size_t>(k)]; }
  Value cotangent(int k = 0) const { return cotangents[static_cast<std::size_t>(k)]; }
};
// A transpose rule returns one value per operand: the cotangent of each linear operand, invalid for the others.

// vmap: batched operands carry the batch as axis 0; the others do not have it. Every result must carry it as axis 0.
struct BatchContext {
  Builder& builder;
  const OpDefinition& definition;
  const Attributes& attributes;
  std::vector<Value> operands;
  std::vector<bool> batched;
  Dim size;
  FunctionTransforms* functions = nullptr;

  Value operand(int k) const { return operands[static_cast<std::size_t>(k)]; }
  bool is_batched(int k) const { return batched[static_cast<std::size_t>(k)]; }
  // The operand with the batch axis, by broadcasting if it has none.
  Value batched_operand(int k) const;
};

// A composite, written in other ops.
struct DecomposeContext {
  Builder& builder;
  const OpDefinition& definition;
  const Attributes& attributes;
  std::vector<Value> operands;

  Value operand(int k) const { return operands[static_cast<std::size_t>(k)]; }
};

}  // namespace hyperion::ir

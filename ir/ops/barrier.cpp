// barrier.cpp: the identity, across which nothing is fused, merged or moved.
#include "ir/ops/shapes.hpp"

namespace hyperion::ir::ops {
namespace {

// Applies a barrier to the values that exist; zeros pass through as zeros.
std::vector<Value> barrier_of(Builder& b, std::vector<Value> values) {
  std::vector<Value> present;
  for (const Value& value : values) {
    if (value) present.push_back(value);
  }
  if (present.empty()) return values;
  const std::vector<Value> passed = b.apply_all("barrier", present);
  std::size_t next = 0;
  for (Value& value : values) {
    if (value) value = passed[next++];
  }
  return values;
}

}  // namespace

OpDefinition op_barrier() {
  OpDefinition op;
  op.name = "barrier";
  op.group = OpGroup::structure;
  op.doc = "Its operands. All of them are computed before any result is used, and no pass looks through it.";
  op.operands = {{.name = "values", .doc = "any tensors", .variadic = true, .linear = true}};
  op.result_count = -1;
  op.is_pure = false;
  op.anchor = Anchor::opaque;
  op.infer = [](const InferContext& c) -> InferResult { return std::vector(c.operands.begin(), c.operands.end()); };
  op.define = [](const DefineContext& c) -> std::vector<Lambda> {
    std::vector<Lambda> lambdas;
    for (std::size_t k = 0; k < c.operands.size(); ++k) {
      const std::vector<VariableId> variables = c.pool.variables(c.operands[k].dims());
      lambdas.push_back({variables, c.access(static_cast<int>(k), index_terms(c.pool, variables))});
    }
    return lambdas;
  };
  op.linearity = Linearity::jointly;
  op.jvp = [](JvpContext& c) { return barrier_of(c.builder, c.tangents); };
  op.transpose = [](TransposeContext& c) {
    std::vector<Value> cotangents = c.cotangents;
    for (std::size_t k = 0; k < cotangents.size(); ++k) {
      if (!c.is_linear(static_cast<int>(k))) cotangents[k] = Value{};
    }
    return barrier_of(c.builder, std::move(cotangents));
  };
  op.batch = [](BatchContext& c) {
    std::vector<Value> operands;
    for (std::size_t k = 0; k < c.operands.size(); ++k) operands.push_back(c.batched_operand(static_cast<int>(k)));
    return c.builder.apply_all("barrier", operands);
  };
  op.example = "barrier %x";
  return op;
}

}  // namespace hyperion::ir::ops

// constant.cpp: a value known when the program is written.
#include <algorithm>

#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_constant() {
  OpDefinition op;
  op.name = "constant";
  op.group = OpGroup::source;
  op.doc = "A value known when the program is written.";
  op.attributes = {{"value", AttributeKind::literal, "the elements", std::nullopt}};
  op.infer = [](const InferContext& c) -> InferResult { return std::vector{c.attributes.literal("value")->type()}; };
  // Only a splat has an index form; other literals are data that the interpreter and the plan place in memory.
  op.define = [](const DefineContext& c) -> std::vector<Lambda> {
    const LiteralPtr& value = c.attributes.literal("value");
    if (!value->is_splat()) return {};
    std::uint64_t bits = 0;
    std::ranges::copy(value->stored_bytes(), reinterpret_cast<std::byte*>(&bits));
    return {{c.pool.variables(c.results[0].dims()), c.pool.literal_bits(value->type().dtype(), bits)}};
  };
  op.evaluate = [](const EvaluateContext& c) -> StatusOr<std::vector<LiteralPtr>> {
    return std::vector{c.attributes.literal("value")};
  };
  op.batch = [](BatchContext& c) { return only(c.builder.constant(c.attributes.literal("value"))); };
  op.example = "constant 1.5 : f32[]";
  return op;
}

}  // namespace hyperion::ir::ops

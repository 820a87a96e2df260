// for.cpp: kernel level: a counted loop with carried values.
//
//   %sum = for %begin, %end, %zero {step = 16} : f32[16] {
//     ^(%i: i64[], %acc: f32[16]) ...
//     yield %next
//   }
//
// The body sees the index, then the carried values; `yield` hands on their next values. A loop whose begin is not
// below its end runs no iteration and returns what it was given. `parallel` marks the one outermost loop whose
// iterations may run in any order on any thread; it carries nothing.
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_for() {
  OpDefinition op;
  op.name = "for";
  op.group = OpGroup::kernel;
  op.doc = "Runs its body for begin, begin + step, ... below end, carrying values from iteration to iteration.";
  op.operands = {{.name = "begin", .doc = "i64[]: the first index"},
                 {.name = "end", .doc = "i64[]: the bound, exclusive"},
                 {.name = "initial", .doc = "what the first iteration is given", .variadic = true}};
  op.attributes = {{"step", AttributeKind::integer, "positive", AttributeValue(std::int64_t{1})},
                   {"parallel", AttributeKind::boolean, "iterations are independent", AttributeValue(false)}};
  op.constraints = {{"c1", "(C1) begin and end are i64[]"}, {"c2", "(C2) step is positive"}};
  op.result_count = -1;
  op.is_pure = false;
  op.infer = [](const InferContext& c) -> InferResult {
    const Type index = Type::scalar(DType::i64);
    if (c.operands[0] != index || c.operands[1] != index) return c.fail("c1", "bounds are not i64[]", {0, 1});
    if (c.attributes.integer("step") <= 0) {
      return c.fail("c2", format("step {} is not positive", c.attributes.integer("step")));
    }
    return std::vector<Type>(c.operands.begin() + 2, c.operands.end());
  };
  op.example = "for %begin, %end {step = 16}";
  return op;
}

}  // namespace hyperion::ir::ops

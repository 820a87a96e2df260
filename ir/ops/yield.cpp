// yield.cpp: kernel level: ends the body of a loop with the values it hands on.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_yield() {
  OpDefinition op;
  op.name = "yield";
  op.group = OpGroup::kernel;
  op.doc = "Ends the body of a loop; its operands are the carried values of the next iteration.";
  op.operands = {{.name = "values", .doc = "one per carried value", .variadic = true}};
  op.result_count = 0;
  op.is_pure = false;
  op.infer = [](const InferContext&) -> InferResult { return std::vector<Type>{}; };
  op.example = "yield %sum";
  return op;
}

}  // namespace hyperion::ir::ops

// return.cpp: ends a function, or the body of a loop, with its results.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_return() {
  OpDefinition op;
  op.name = "return";
  op.group = OpGroup::structure;
  op.doc = "Ends a function; its operands are the function's results.";
  op.operands = {{.name = "values", .doc = "the results", .variadic = true}};
  op.result_count = 0;
  op.is_pure = false;
  op.infer = [](const InferContext&) -> InferResult { return std::vector<Type>{}; };
  op.example = "return %x";
  return op;
}

}  // namespace hyperion::ir::ops

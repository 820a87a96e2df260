// affine.cpp: kernel level: constant + sum of coefficient * index.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_affine() {
  OpDefinition op;
  op.name = "affine";
  op.group = OpGroup::kernel;
  op.doc = "constant + sum of coefficients[k] * index k, wrapping. One vector operand makes the result a vector.";
  op.operands = {{.name = "indices", .doc = "i64[] each, or i64[lanes]", .variadic = true}};
  op.attributes = {{"coefficients", AttributeKind::integers, "one per index", std::nullopt},
                   {"constant", AttributeKind::integer, "added to the sum", AttributeValue(std::int64_t{0})}};
  op.constraints = {{"c1", "(C1) one coefficient per index"}, {"c2", "(C2) indices are i64, scalars or vectors"}};
  op.infer = [](const InferContext& c) -> InferResult {
    if (c.attributes.integers("coefficients").size() != c.operands.size()) {
      return c.fail("c1", "the number of coefficients is not the number of indices");
    }
    Type result = Type::scalar(DType::i64);
    for (Type type : c.operands) {
      if (type.dtype() != DType::i64 || type.rank() > 1) return c.fail("c2", type.text() + " is not an index");
      if (type.rank() == 1) result = type;
    }
    return std::vector{result};
  };
  op.example = "affine %i, %j {coefficients = [784, 1]}";
  return op;
}

}  // namespace hyperion::ir::ops

// complex.hpp: what the ops on complex elements share. Programs with complex elements are typed, printed and batched; no
// backend computes with them yet, and the interpreter and the code generators say so.
#pragma once

#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

// The floating type of the real and the imaginary part.
inline DType part_dtype(DType complex) { return complex == DType::c64 ? DType::f32 : DType::f64; }

inline OpDefinition complex_op(std::string_view name, OpGroup group, std::string_view doc, std::vector<OperandSpec> operands) {
  OpDefinition op;
  op.name = name;
  op.group = group;
  op.doc = doc;
  op.operands = std::move(operands);
  op.anchor = Anchor::opaque;
  op.evaluate = [](const EvaluateContext& c) -> StatusOr<std::vector<LiteralPtr>> {
    return error_status(Code::unimplemented, format("{}: complex elements cannot be computed with yet", c.definition.name));
  };
  op.batch = [](BatchContext& c) {
    std::vector<Value> operands;
    for (std::size_t k = 0; k < c.operands.size(); ++k) operands.push_back(c.batched_operand(static_cast<int>(k)));
    return only(c.builder.apply(c.definition.name, operands));
  };
  return op;
}

// An op of one complex operand whose result has the element type that `result` gives for the operand's.
inline OpDefinition of_complex(std::string_view name, std::string_view doc, DType (*result)(DType)) {
  OpDefinition op = complex_op(name, OpGroup::unary, doc, {{.name = "x", .doc = "the tensor"}});
  op.constraints = {{"c1", "(C1) the element type is complex"}};
  op.infer = [result](const InferContext& c) -> InferResult {
    const DType dtype = c.operands[0].dtype();
    if (!is_complex(dtype)) return c.fail("c1", format("element type {} is not complex", dtype_name(dtype)), {0});
    return std::vector{c.operands[0].with_dtype(result(dtype))};
  };
  return op;
}

}  // namespace hyperion::ir::ops

// bitcast.cpp: the same bits as another element type of the same width.
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_bitcast() {
  OpDefinition op = unary_op("bitcast", "The same bits read as another element type of the same width.",
                             numeric_dtype, "a number");
  op.group = OpGroup::typed;
  op.attributes = {{"dtype", AttributeKind::dtype, "the element type of the result", std::nullopt}};
  op.constraints.push_back({"c3", "(C3) both types have the same width, and neither is bool or complex"});
  op.infer = [operand = op.infer](const InferContext& c) -> InferResult {
    HYP_TRY(const std::vector<Type> types, operand(c));
    const DType from = types[0].dtype(), to = c.attributes.dtype("dtype");
    if (!numeric_dtype(to) || byte_size(from) != byte_size(to)) {
      return c.fail("c3", format("{} and {} do not have the same width", dtype_name(from), dtype_name(to)), {0});
    }
    return std::vector{types[0].with_dtype(to)};
  };
  op.primitive = Primitive::bitcast;
  op.example = "bitcast %x {dtype = u32}";
  return op;
}

}  // namespace hyperion::ir::ops

// load.cpp: kernel level: elements of a buffer.
//
// Offsets count elements from the buffer's start, row-major. A scalar offset reads one element (lanes = 0) or `lanes`
// consecutive ones; a vector of offsets gathers. Where the mask is false nothing is read and the lane is zero. Inside
// `contract`, lanes beyond the last column are masked off by themselves.
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_load() {
  OpDefinition op;
  op.name = "load";
  op.group = OpGroup::kernel;
  op.doc = "Reads one element, consecutive elements, or scattered elements of a buffer.";
  op.operands = {{.name = "buffer", .doc = "a parameter or scratch"},
                 {.name = "offset", .doc = "i64[], or i64[lanes] to gather"},
                 {.name = "mask", .doc = "bool[lanes], or bool[] for one element; absent: all", .variadic = true}};
  op.attributes = {{"lanes", AttributeKind::integer, "0: one element", AttributeValue(std::int64_t{0})}};
  op.constraints = {{"c1", "(C1) the offset is i64[], or i64[lanes]"}, {"c2", "(C2) the mask fits the result"}};
  op.is_pure = false;
  op.infer = [](const InferContext& c) -> InferResult {
    const std::int64_t lanes = c.attributes.integer("lanes");
    const Type offset = c.operands[1];
    if (offset.dtype() != DType::i64 || offset.rank() > 1 || (offset.rank() == 1 && offset.dim(0) != Dim(lanes))) {
      return c.fail("c1", format("{} is not an offset of {} lanes", offset.text(), lanes), {1});
    }
    const DType dtype = c.operands[0].dtype();
    const Type result = lanes == 0 ? Type::scalar(dtype) : Type(dtype, {Dim(lanes)});
    if (c.operands.size() > 3 || (c.operands.size() == 3 && c.operands[2] != result.with_dtype(DType::bool_))) {
      return c.fail("c2", format("the mask is not {}", result.with_dtype(DType::bool_).text()), {2});
    }
    return std::vector{result};
  };
  op.example = "load %x, %offset {lanes = 16}";
  return op;
}

}  // namespace hyperion::ir::ops

// transpose_lanes.cpp: kernel level: a square of elements in registers, mirrored at its diagonal.
#include <bit>

#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_transpose_lanes() {
  OpDefinition op;
  op.name = "transpose_lanes";
  op.group = OpGroup::kernel;
  op.doc = "Takes as many vectors as each has lanes; lane c of result r is lane r of operand c.";
  op.operands = {{.name = "columns", .doc = "n vectors of n lanes, n a power of two", .variadic = true}};
  op.constraints = {{"c1", "(C1) the operands are vectors of one type, as many as they have lanes, a power of two"}};
  op.result_count = -1;
  op.infer = [](const InferContext& c) -> InferResult {
    const Type first = c.operands.empty() ? Type() : c.operands[0];
    const std::int64_t count = std::ssize(c.operands);
    bool fits = count > 0 && first.rank() == 1 && first.dim(0) == Dim(count) && std::has_single_bit(c.operands.size());
    for (Type type : c.operands) fits &= type == first;
    if (!fits) return c.fail("c1", format("{} vectors of type {} are no square", count, first.text()));
    return std::vector<Type>(c.operands.begin(), c.operands.end());
  };
  op.example = "transpose_lanes %a, %b";
  return op;
}

}  // namespace hyperion::ir::ops

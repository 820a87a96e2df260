// store.cpp: kernel level: writes elements of a buffer. Offsets and masks as in load.
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_store() {
  OpDefinition op;
  op.name = "store";
  op.group = OpGroup::kernel;
  op.doc = "Writes one element, consecutive elements, or scattered elements (ascending by lane) of a buffer.";
  op.operands = {{.name = "value", .doc = "a scalar or vector"},
                 {.name = "buffer", .doc = "an output or scratch"},
                 {.name = "offset", .doc = "i64[], or i64[lanes] to scatter"},
                 {.name = "mask", .doc = "bool, of the value's shape; absent: all", .variadic = true}};
  op.attributes = {{"streaming", AttributeKind::boolean, "whether the element bypasses the caches; whole cache lines only",
                    AttributeValue(false)}};
  op.constraints = {{"c1", "(C1) the value has the buffer's element type"},
                    {"c2", "(C2) the offset is i64[], or a vector as long as the value"},
                    {"c3", "(C3) the mask fits the value"}};
  op.result_count = 0;
  op.is_pure = false;
  op.infer = [](const InferContext& c) -> InferResult {
    const Type value = c.operands[0], offset = c.operands[2];
    if (value.dtype() != c.operands[1].dtype() || value.rank() > 1) {
      return c.fail("c1", format("{} cannot be stored in {}", value.text(), c.operands[1].text()), {0, 1});
    }
    if (offset != Type::scalar(DType::i64) && offset != value.with_dtype(DType::i64)) {
      return c.fail("c2", format("{} is not an offset for {}", offset.text(), value.text()), {2});
    }
    if (c.operands.size() > 4 || (c.operands.size() == 4 && c.operands[3] != value.with_dtype(DType::bool_))) {
      return c.fail("c3", "the mask does not fit the value", {3});
    }
    return std::vector<Type>{};
  };
  op.example = "store %value, %y, %offset";
  return op;
}

}  // namespace hyperion::ir::ops

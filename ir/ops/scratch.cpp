// scratch.cpp: kernel level: memory of the running thread, undefined at first, gone when the kernel returns.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_scratch() {
  OpDefinition op;
  op.name = "scratch";
  op.group = OpGroup::kernel;
  op.doc = "A buffer of the running thread; its contents are undefined at first and do not outlive the tile.";
  op.attributes = {{"dtype", AttributeKind::dtype, "of the elements", std::nullopt},
                   {"size", AttributeKind::integer, "number of elements", std::nullopt}};
  op.constraints = {{"c1", "(C1) size is not negative"}};
  op.is_pure = false;
  op.infer = [](const InferContext& c) -> InferResult {
    if (c.attributes.integer("size") < 0) return c.fail("c1", "size is negative");
    return std::vector{Type(c.attributes.dtype("dtype"), {Dim(c.attributes.integer("size"))})};
  };
  op.example = "scratch {dtype = f32, size = 1024}";
  return op;
}

}  // namespace hyperion::ir::ops

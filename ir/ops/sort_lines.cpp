// sort_lines.cpp: kernel level: the order of the elements of each line of a tensor.
//
// The output is [outer][length][inner], row-major; a line runs along `length`, and its k-th element becomes the
// position of what is k-th in order (arg_sort.cpp says in which). The block, given (%outer, %position, %column), yields
// the element there.
#include "ir/ops/kernel_attributes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_sort_lines() {
  OpDefinition op;
  op.name = "sort_lines";
  op.group = OpGroup::kernel;
  op.doc = "Writes, for each line of a buffer, the positions of its elements in order.";
  op.operands = {{.name = "output", .doc = "the buffer of the positions"}};
  op.attributes = {required_number("outer", "tensors of lines"),
                   required_number("length", "elements of a line"),
                   required_number("inner", "lines side by side"),
                   {"descending", AttributeKind::boolean, "the greatest first", AttributeValue(false)}};
  op.constraints = {{"c1", "(C1) outer, length and inner are positive"},
                    {"c2", "(C2) the output has outer * length * inner elements"},
                    {"c3", "(C3) the output is i32 or i64"}};
  op.result_count = 0;
  op.is_pure = false;
  op.infer = [](const InferContext& c) -> InferResult {
    const auto number = [&](std::string_view name) { return c.attributes.integer(name); };
    for (const std::string_view name : {"outer", "length", "inner"}) {
      if (number(name) <= 0) return c.fail("c1", format("{} is {}", name, number(name)));
    }
    const Type output = c.operands[0];
    if (!output.is_static() || output.element_count() != number("outer") * number("length") * number("inner")) {
      return c.fail("c2",
                    format("{} does not hold {} * {} lines of {}", output.text(), number("outer"), number("inner"),
                           number("length")),
                    {0});
    }
    if (output.dtype() != DType::i32 && output.dtype() != DType::i64) {
      return c.fail("c3", format("{} does not hold positions", output.text()), {0});
    }
    return std::vector<Type>{};
  };
  op.example = "sort_lines %y {inner = 1, length = 100, outer = 8}";
  return op;
}

}  // namespace hyperion::ir::ops

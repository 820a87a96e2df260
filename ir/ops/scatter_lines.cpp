// scatter_lines.cpp: kernel level: lines of a tensor that collect their updates.
//
//   output[o, r, :] = element(o, r), then for each p with index(o, p) = r, ascending:
//   output[o, r, :] = combine(output[o, r, :], update(o, p))
//
// The output is [outer][length][inner], row-major. Four blocks say what it is made of; what they read they load
// themselves:
//
//   index    (%outer, %position)            yields i64[]; a position whose index is not in [0, length) has no line
//   element  (%outer, %row, %column)        yields a vector whose lane l belongs to column `column` + l
//   update   (%outer, %position, %column)   likewise
//   combine  (%state, %update)              yields what becomes of such a vector
//
// Lines do not wait for one another, and who finds a line's positions in which way is the target's choice: no choice
// changes a bit.
#include "ir/ops/kernel_attributes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_scatter_lines() {
  OpDefinition op;
  op.name = "scatter_lines";
  op.group = OpGroup::kernel;
  op.doc = "Writes lines of a buffer, each with the updates whose index it is, in ascending order of position.";
  op.operands = {{.name = "output", .doc = "the buffer of the lines"}};
  op.attributes = {required_number("outer", "how many tensors of `length` lines there are"),
                   required_number("length", "lines of each"), required_number("inner", "elements of a line"),
                   required_number("positions", "updates of each"),
                   required_number("lanes", "elements of the vectors that blocks are asked for")};
  op.constraints = {{"c1", "(C1) outer, length, inner, positions and lanes are positive"},
                    {"c2", "(C2) the output has outer * length * inner elements"},
                    {"c3", "(C3) lanes divides inner"}};
  op.result_count = 0;
  op.is_pure = false;
  op.infer = [](const InferContext& c) -> InferResult {
    const auto number = [&](std::string_view name) { return c.attributes.integer(name); };
    for (const std::string_view name : {"outer", "length", "inner", "positions", "lanes"}) {
      if (number(name) <= 0) return c.fail("c1", format("{} is {}", name, number(name)));
    }
    if (!c.operands[0].is_static() ||
        c.operands[0].element_count() != number("outer") * number("length") * number("inner")) {
      return c.fail("c2",
                    format("{} does not hold {} * {} lines of {}", c.operands[0].text(), number("outer"),
                           number("length"), number("inner")),
                    {0});
    }
    if (number("inner") % number("lanes") != 0) {
      return c.fail("c3", format("lines of {} are not made of vectors of {}", number("inner"), number("lanes")));
    }
    return std::vector<Type>{};
  };
  op.example = "scatter_lines %y {inner = 10, lanes = 2, length = 4, outer = 8, positions = 100}";
  return op;
}

}  // namespace hyperion::ir::ops

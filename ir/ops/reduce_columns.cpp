// reduce_columns.cpp: kernel level: sums (and the like) of columns by all who hold a part of them.
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_reduce_columns() {
  OpDefinition op;
  op.name = "reduce_columns";
  op.group = OpGroup::kernel;
  op.doc = "A vector holds a matrix row by row; every lane gets the combination of its column, from the first row on.";
  op.operands = {{.name = "x", .doc = "a vector whose length is a multiple of `columns`"}};
  op.attributes = {{"kind", AttributeKind::text, "sum, prod, max, min, and, or", std::nullopt},
                   {"columns", AttributeKind::integer, "lanes of a row", std::nullopt}};
  op.constraints = {{"c1", "(C1) x is a vector"},
                    {"c2", "(C2) columns is positive and divides the length of x"},
                    {"c3", "(C3) kind is that of a reduction"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Type x = c.operands[0];
    if (x.rank() != 1 || !x.is_static()) return c.fail("c1", format("{} is no vector", x.text()), {0});
    const std::int64_t columns = c.attributes.integer("columns");
    if (columns <= 0 || x.dim(0).value() % columns != 0)
      return c.fail("c2", format("{} is no matrix of {} columns", x.text(), columns), {0});
    if (!parse_monoid(c.attributes.text("kind")))
      return c.fail("c3", "kind \"" + c.attributes.text("kind") + "\" is not sum, prod, max, min, and or or");
    return std::vector{x};
  };
  op.example = "reduce_columns %x {kind = \"sum\", columns = 32}";
  return op;
}

}  // namespace hyperion::ir::ops

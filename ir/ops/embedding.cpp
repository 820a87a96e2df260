// embedding.cpp: rows of a table.
#include "ir/ops/composite.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_embedding() {
  OpDefinition op = composite("embedding", "Row `indices` of the table; the row padding_index gets no gradient.",
                              {{.name = "weight", .doc = "the table, [rows, width]"}, {.name = "indices", .doc = "integers"}});
  op.attributes = {{"padding_index", AttributeKind::integer, "the row without gradient; -1: none", AttributeValue(std::int64_t{-1})}};
  op.constraints = {{"c1", "(C1) weight has rank 2 and at least one row"}, {"c2", "(C2) indices are integers"},
                    {"c3", "(C3) the result has rank at most 8"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Type weight = c.operands[0], indices = c.operands[1];
    if (weight.rank() != 2 || weight.dim(0) == Dim(0)) return c.fail("c1", format("{} is not a table with rows", weight.text()), {0});
    if (!is_integer(indices.dtype())) return c.fail("c2", format("indices are {}, not integers", dtype_name(indices.dtype())), {1});
    if (indices.rank() >= kMaxRank) return c.fail("c3", format("the result would have rank {}", indices.rank() + 1), {1});
    return std::vector{weight.with_dims(inserted(dims_of(indices), indices.rank(), weight.dim(1)))};
  };
  op.decompose = [](DecomposeContext& c) {
    Builder& b = c.builder;
    const Value indices = c.operand(1);
    const Value rows = b.apply("gather", {c.operand(0), indices}, {{"axis", std::int64_t{0}}});
    const std::int64_t padding = c.attributes.integer("padding_index");
    if (padding < 0) return only(rows);
    const Value wide = b.cast(indices, DType::i64);
    const Value is_padding = broadcast_into(b.compare(wide, integer_like(wide, padding), "eq"), rows.type(), counting(0, indices.rank()));
    return only(b.select(is_padding, unary("stop_gradient", rows), rows));
  };
  op.example = "embedding %table, %tokens";
  return op;
}

}  // namespace hyperion::ir::ops

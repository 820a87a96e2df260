// one_hot.cpp: 1 at the index, 0 elsewhere, along a new last axis; all 0 if the index is out of range.
#include "ir/ops/composite.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_one_hot() {
  OpDefinition op = composite("one_hot", "1 at the index and 0 elsewhere, along a new last axis.", {{.name = "indices", .doc = "integers"}});
  op.attributes = {{"classes", AttributeKind::integer, "the size of the new axis", std::nullopt},
                   {"dtype", AttributeKind::dtype, "of the result", AttributeValue(DType::f32)}};
  op.constraints = {{"c1", "(C1) indices are integers"},
                    {"c2", "(C2) classes is not negative, and the result has rank at most 8"},
                    {"c3", "(C3) dtype is not complex"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Type indices = c.operands[0];
    const std::int64_t classes = c.attributes.integer("classes");
    if (!is_integer(indices.dtype())) return c.fail("c1", format("indices are {}, not integers", dtype_name(indices.dtype())), {0});
    if (classes < 0 || indices.rank() >= kMaxRank) return c.fail("c2", format("{} classes for indices of rank {}", classes, indices.rank()), {0});
    if (is_complex(c.attributes.dtype("dtype"))) return c.fail("c3", "the result cannot be complex");
    return std::vector{Type(c.attributes.dtype("dtype"), inserted(dims_of(indices), indices.rank(), Dim(classes)))};
  };
  op.decompose = [](DecomposeContext& c) {
    Builder& b = c.builder;
    const Value indices = b.cast(c.operand(0), DType::i64);
    const Type wide(DType::i64, inserted(dims_of(indices.type()), indices.rank(), Dim(c.attributes.integer("classes"))));
    const Value hit = b.compare(broadcast_into(indices, wide, counting(0, indices.rank())), iota(b, wide, indices.rank()), "eq");
    return only(b.cast(hit, c.attributes.dtype("dtype")));
  };
  op.example = "one_hot %labels {classes = 10, dtype = f32}";
  return op;
}

}  // namespace hyperion::ir::ops

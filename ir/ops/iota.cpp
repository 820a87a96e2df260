// iota.cpp: elements that are their own index along one axis.
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_iota() {
  OpDefinition op;
  op.name = "iota";
  op.group = OpGroup::source;
  op.doc = "Elements that are their own index along `axis`, converted as `cast` from i64 does.";
  op.attributes = {{"shape", AttributeKind::dims, "the shape of the result", std::nullopt},
                   {"dtype", AttributeKind::dtype, "the element type of the result", std::nullopt},
                   {"axis", AttributeKind::integer, "the axis along which elements count", AttributeValue(std::int64_t{0})}};
  op.constraints = {{"c1", "(C1) the rank is at most 8 and no dimension is negative"},
                    {"c2", "(C2) axis is an axis of the result"},
                    {"c3", "(C3) dtype is a number type"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Dims& shape = c.attributes.dims("shape");
    const std::int64_t axis = c.attributes.integer("axis");
    const DType dtype = c.attributes.dtype("dtype");
    if (!is_shape(shape)) return c.fail("c1", format("{} is not a shape", text(AttributeValue(shape))));
    if (axis < 0 || axis >= std::ssize(shape)) {
      return c.fail("c2", format("axis {} is not an axis of a result of rank {}", axis, shape.size()));
    }
    if (!numeric_dtype(dtype)) return c.fail("c3", format("{} does not count", dtype_name(dtype)));
    return std::vector{Type(dtype, shape)};
  };
  op.define = [](const DefineContext& c) -> std::vector<Lambda> {
    const std::vector<VariableId> variables = c.pool.variables(c.results[0].dims());
    const TermId index = c.pool.index(variables[at(c.attributes.integer("axis"))]);
    return {{variables, c.pool.from_index(index, c.results[0].dtype())}};
  };
  // Without operands there is nothing to batch; asked for it all the same, every slice is the same.
  op.batch = [](BatchContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("shape", inserted(c.attributes.dims("shape"), 0, c.size));
    attributes.set("axis", c.attributes.integer("axis") + 1);
    return only(c.builder.apply("iota", std::initializer_list<Value>{}, std::move(attributes)));
  };
  op.example = "iota {axis = 0, dtype = i32, shape = [10]}";
  return op;
}

}  // namespace hyperion::ir::ops

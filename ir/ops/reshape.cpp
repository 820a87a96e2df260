// reshape.cpp: the same elements in row-major order under another shape.
#include <algorithm>

#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

// Symbolic sizes cannot be multiplied in general, so equality is decided after cancelling equal dimensions of both
// sides: [n, 2, 3] -> [n, 6] and [4*n] -> [n, 4] hold, [n, m] -> [m, n] too, [n] -> [m] does not.
bool same_element_count(std::span<const Dim> from, std::span<const Dim> to) {
  const auto is_empty = [](std::span<const Dim> dims) { return std::ranges::find(dims, Dim(0)) != dims.end(); };
  if (is_empty(from) || is_empty(to)) return is_empty(from) && is_empty(to);
  std::vector<Dim> left(from.begin(), from.end()), right;
  for (Dim dim : to) {
    const auto found = std::ranges::find(left, dim);
    if (found != left.end()) left.erase(found);
    else right.push_back(dim);
  }
  const auto product = [](const std::vector<Dim>& dims) -> std::optional<Dim> {
    std::int64_t factor = 1;
    std::optional<Dim> symbolic;
    for (Dim dim : dims) {
      if (dim.is_static()) factor *= dim.value();
      else if (symbolic) return std::nullopt;
      else symbolic = dim;
    }
    return symbolic ? *symbolic * factor : Dim(factor);
  };
  const std::optional<Dim> a = product(left), b = product(right);
  return a && b && *a == *b;
}

std::vector<Lambda> define_reshape(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::span<const Dim> from = c.operands[0].dims();
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  std::vector<TermId> indices;
  for (VariableId variable : variables) indices.push_back(pool.index(variable));
  TermId position = linear_index(pool, c.results[0].dims(), indices);
  std::vector<TermId> source(from.size());
  for (std::size_t axis = from.size(); axis-- > 0;) {
    const std::int64_t size = std::max<std::int64_t>(from[axis].value(), 1);
    source[axis] = axis == 0 ? position : pool.modulo(position, size);
    position = pool.divide(position, size);
  }
  return {{variables, c.access(0, std::move(source))}};
}

}  // namespace

OpDefinition op_reshape() {
  OpDefinition op;
  op.name = "reshape";
  op.group = OpGroup::view;
  op.doc = "The same elements, in row-major order, under another shape.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = {{"shape", AttributeKind::dims, "the new dimensions", std::nullopt}};
  op.constraints = {{"c1", "(C1) both shapes have the same number of elements"},
                    {"c2", "(C2) the rank is at most 8 and no dimension is negative"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Dims& shape = c.attributes.dims("shape");
    const Type result = c.operands[0].with_dims(shape);
    if (shape.size() > kMaxRank || std::ranges::any_of(shape, [](Dim d) { return d.is_static() && d.value() < 0; })) {
      return c.fail("c2", format("{} is not a shape", result.text()));
    }
    if (!same_element_count(c.operands[0].dims(), shape)) {
      return c.fail("c1", format("{} does not have as many elements as {}", result.text(), c.operands[0].text()), {0});
    }
    return std::vector{result};
  };
  op.define = define_reshape;
  op.linearity = Linearity::jointly;
  op.transpose = [](TransposeContext& c) { return only(c.builder.reshape(c.cotangent(), c.type(0).dims())); };
  op.batch = [](BatchContext& c) {
    Dims shape = c.attributes.dims("shape");
    shape.insert(shape.begin(), c.size);
    return only(c.builder.reshape(c.operand(0), shape));
  };
  op.example = "reshape %x {shape = [6, 4]}";
  return op;
}

}  // namespace hyperion::ir::ops

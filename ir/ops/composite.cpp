#include "ir/ops/composite.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition composite(std::string_view name, std::string_view doc, std::vector<OperandSpec> operands) {
  OpDefinition op;
  op.name = name;
  op.group = OpGroup::composite;
  op.doc = doc;
  op.operands = std::move(operands);
  return op;
}

OpDefinition composite_map(std::string_view name, std::string_view doc,
                           Value (*function)(Value x, const Attributes& attributes)) {
  OpDefinition op = composite(name, doc, {{.name = "x", .doc = "the argument"}});
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"}};
  op.infer = [](const InferContext& c) -> InferResult {
    HYP_TRY_VOID(check_floating(c, "c1", 0));
    return std::vector{c.operands[0]};
  };
  op.decompose = [function](DecomposeContext& c) {
    return only(rounded(function(carried(c.operand(0)), c.attributes), c.operand(0).dtype()));
  };
  return op;
}

Value carried(Value x) { return x.builder->cast(x, accumulation_dtype(x.dtype())); }
Value rounded(Value x, DType dtype) { return x.builder->cast(x, dtype); }

Value sum_over(Value x, const Integers& axes) {
  return x.builder->reduce(x, Monoid::sum, axes);
}

Value mean_over(Value x, const Integers& axes) {
  const Value sum = sum_over(x, axes);
  return sum / everywhere(count_along(*x.builder, x.type(), axes, x.dtype()), sum);
}

Value shift_over(Value x, const Integers& axes) {
  Builder& b = *x.builder;
  const Value top = unary("stop_gradient", b.reduce(x, Monoid::maximum, axes));
  const Value zero = b.zeros(top.type());
  return b.select(unary("is_finite", top), top, zero);
}

Value count_along(Builder& b, Type type, const Integers& axes, DType dtype) {
  double count = 1;
  Dims dims;
  for (std::int64_t axis : axes) {
    dims.push_back(type.dim(static_cast<int>(axis)));
    count *= dims.back().is_static() ? static_cast<double>(dims.back().value()) : 1;
  }
  const Type counted(dtype, dims);
  if (counted.is_static()) return b.constant(Type::scalar(dtype), count);
  // A symbolic size becomes a number only by counting.
  return b.reduce(b.ones(counted), Monoid::sum, counting(0, std::ssize(dims)));
}

Value everywhere(Value scalar, Value x) { return scalar.builder->broadcast_scalar(scalar, x.type()); }

Result<> check_floating(const InferContext& c, std::string_view constraint, int operand) {
  const DType dtype = c.operands[at(operand)].dtype();
  if (is_floating(dtype)) return {};
  return c.fail(constraint, format("element type {} is not a floating-point type", dtype_name(dtype)), {operand});
}

Result<> check_axis(const InferContext& c, std::string_view constraint, std::int64_t axis, int rank) {
  if (axis >= 0 && axis < rank) return {};
  return c.fail(constraint, format("axis {} is not an axis of a tensor of rank {}", axis, rank), {0});
}

InferResult infer_along_axis(const InferContext& c) {
  HYP_TRY_VOID(check_floating(c, "c1", 0));
  HYP_TRY_VOID(check_axis(c, "c2", c.attributes.integer("axis"), c.operands[0].rank()));
  return std::vector{c.operands[0]};
}

OpDefinition composite_reduction(std::string_view name, std::string_view doc,
                                 Value (*function)(Value x, const Integers& axes, const Attributes& attributes)) {
  OpDefinition op = composite(name, doc, {{.name = "x", .doc = "the tensor"}});
  op.attributes = {{"axes", AttributeKind::integers, "the axes to reduce, increasing", std::nullopt}};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"},
                    {"c2", "(C2) axes are increasing axes of the operand"}};
  op.infer = [](const InferContext& c) -> InferResult {
    HYP_TRY_VOID(check_floating(c, "c1", 0));
    const Integers& axes = c.attributes.integers("axes");
    if (!distinct_axes(axes, c.operands[0].rank()) || !std::ranges::is_sorted(axes)) {
      return c.fail("c2", format("axes {} are not increasing axes of {}", text(AttributeValue(axes)), c.operands[0].text()), {0});
    }
    return std::vector{c.operands[0].with_dims(gathered(c.operands[0], other_axes(axes, c.operands[0].rank())))};
  };
  op.decompose = [function](DecomposeContext& c) {
    const Value result = function(carried(c.operand(0)), c.attributes.integers("axes"), c.attributes);
    return only(rounded(result, c.operand(0).dtype()));
  };
  return op;
}

AttributeSpec axis_attribute(std::string_view doc) { return {"axis", AttributeKind::integer, doc, std::nullopt}; }

AttributeSpec epsilon_attribute() {
  return {"epsilon", AttributeKind::real, "added to the variance", AttributeValue(1e-5)};
}

}  // namespace hyperion::ir::ops

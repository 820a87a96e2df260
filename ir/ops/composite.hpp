// composite.hpp: what composites are written with. A composite is its decomposition (OpDefinition::decompose).
//
// Composites of 16- and 8-bit floats compute in f32 and round once at the end, like PyTorch's kernels: they start with
// carried() and end with rounded().
#pragma once

#include "ir/ops/shapes.hpp"

namespace hyperion::ir::ops {

OpDefinition composite(std::string_view name, std::string_view doc, std::vector<OperandSpec> operands);

// x -> f(x) elementwise on floats: (C1) a floating-point operand. `attributes` are the caller's to add.
OpDefinition composite_map(std::string_view name, std::string_view doc, Value (*function)(Value x, const Attributes& attributes));

Value carried(Value x);               // in the accumulation dtype
Value rounded(Value x, DType dtype);  // back

Value sum_over(Value x, const Integers& axes);
Value mean_over(Value x, const Integers& axes);
// max over `axes`, as a constant where derivatives are concerned and finite where it is subtracted.
Value shift_over(Value x, const Integers& axes);
// How many elements of `type` lie along `axes`, as a scalar of `dtype`.
Value count_along(Builder& b, Type type, const Integers& axes, DType dtype);
// A scalar over the shape of x.
Value everywhere(Value scalar, Value x);

// ---- checks ---------------------------------------------------------------------------------------------------

Result<> check_floating(const InferContext& c, std::string_view constraint, int operand);
Result<> check_axis(const InferContext& c, std::string_view constraint, std::int64_t axis, int rank);
// (C1) a floating-point operand; (C2) attribute axis is one of its axes. The result has the operand's type.
InferResult infer_along_axis(const InferContext& c);
AttributeSpec axis_attribute(std::string_view doc);
AttributeSpec epsilon_attribute();

// Reductions over a list of axes, (C1) floating and (C2) axes increasing: mean, variance, logsumexp.
OpDefinition composite_reduction(std::string_view name, std::string_view doc,
                                 Value (*function)(Value x, const Integers& axes, const Attributes& attributes));

}  // namespace hyperion::ir::ops

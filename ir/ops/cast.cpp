// cast.cpp: conversion between element types.
//
// Float to integer truncates towards zero, saturates, and takes NaN to 0. Integers wrap. To bool: x != 0. f64 to a 16-
// or 8-bit float goes through f32, on every device.
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

OpDefinition op_cast() {
  OpDefinition op = unary_op("cast",
                             "Converts elements: floats round to nearest even; float to integer truncates, "
                             "saturates, NaN to 0; integers wrap; to bool is x != 0.",
                             any_real_dtype, "a real type");
  op.group = OpGroup::typed;
  op.attributes = {{"dtype", AttributeKind::dtype, "the element type of the result", std::nullopt}};
  op.constraints.push_back({"c3", "(C3) dtype is not complex"});
  op.infer = [operand = op.infer](const InferContext& c) -> InferResult {
    HYP_TRY(const std::vector<Type> types, operand(c));
    const DType dtype = c.attributes.dtype("dtype");
    if (is_complex(dtype)) return c.fail("c3", "cannot convert to a complex type");
    return std::vector{types[0].with_dtype(dtype)};
  };
  op.primitive = Primitive::cast;
  // Linear only between floats; a cast to or from integers is a step function.
  op.jvp = [](JvpContext& c) {
    const bool floats = is_floating(c.operand(0).dtype()) && is_floating(c.result().dtype());
    return only(floats ? c.builder.cast(c.tangent(), c.result().dtype()) : Value{});
  };
  op.linearity = Linearity::jointly;
  op.operands[0].linear = true;
  op.transpose = [](TransposeContext& c) { return only(c.builder.cast(c.cotangent(), c.type(0).dtype())); };
  op.example = "cast %x {dtype = f16}";
  return op;
}

}  // namespace hyperion::ir::ops

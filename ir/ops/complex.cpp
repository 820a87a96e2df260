// complex.cpp: complex elements from their real and imaginary parts.
#include "ir/ops/complex.hpp"

namespace hyperion::ir::ops {

OpDefinition op_complex() {
  OpDefinition op = complex_op("complex", OpGroup::binary, "re + i im.",
                               {{.name = "re", .doc = "the real part"}, {.name = "im", .doc = "the imaginary part"}});
  op.constraints = {{"c1", "(C1) both operands have the same type"}, {"c2", "(C2) the element type is f32 or f64"}};
  op.infer = [](const InferContext& c) -> InferResult {
    const Type re = c.operands[0], im = c.operands[1];
    if (re != im) return c.fail("c1", format("operand types differ: {} and {}", re.text(), im.text()), {0, 1});
    if (re.dtype() != DType::f32 && re.dtype() != DType::f64) {
      return c.fail("c2", format("element type {} is not f32 or f64", dtype_name(re.dtype())), {0});
    }
    return std::vector{re.with_dtype(re.dtype() == DType::f32 ? DType::c64 : DType::c128)};
  };
  op.example = "complex %re, %im";
  return op;
}

}  // namespace hyperion::ir::ops

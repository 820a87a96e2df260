// imag.cpp: the imaginary part of complex elements.
#include "ir/ops/complex.hpp"

namespace hyperion::ir::ops {

OpDefinition op_imag() {
  OpDefinition op = of_complex("imag", "The imaginary part.", part_dtype);
  op.example = "imag %z";
  return op;
}

}  // namespace hyperion::ir::ops

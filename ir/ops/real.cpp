// real.cpp: the real part of complex elements.
#include "ir/ops/complex.hpp"

namespace hyperion::ir::ops {

OpDefinition op_real() {
  OpDefinition op = of_complex("real", "The real part.", part_dtype);
  op.example = "real %z";
  return op;
}

}  // namespace hyperion::ir::ops

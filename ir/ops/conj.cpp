// conj.cpp: the complex conjugate: the imaginary part with its sign flipped.
#include "ir/ops/complex.hpp"

namespace hyperion::ir::ops {

OpDefinition op_conj() {
  OpDefinition op = of_complex("conj", "The complex conjugate.", [](DType dtype) { return dtype; });
  op.example = "conj %z";
  return op;
}

}  // namespace hyperion::ir::ops

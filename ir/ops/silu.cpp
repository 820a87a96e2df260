// silu.cpp: x * sigmoid(x).
#include "ir/ops/composite.hpp"

namespace hyperion::ir::ops {

OpDefinition op_silu() {
  OpDefinition op =
      composite_map("silu", "x * sigmoid(x), also called swish.",
                    [](Value x, const Attributes&) { return x * unary("sigmoid", x); });
  op.example = "silu %x";
  return op;
}

}  // namespace hyperion::ir::ops

// recording.hpp: what the files of this folder share: recording an op whose operands are ready.
#pragma once

#include "frontend/error.hpp"
#include "frontend/promotion.hpp"
#include "frontend/tensor.hpp"
#include "ir/op_definition.hpp"

namespace hyperion::frontend {

// The operand as a tensor; a number becomes one of its default type.
inline Tensor tensor_of(std::string_view op, const Operand& x) {
  if (x.is_tensor()) {
    if (x.tensor().is_empty()) {
      raise(x.location(), "tensor.empty", std::string(op) + ": the operand is an empty tensor",
            "a default-constructed Tensor holds nothing; assign to it first");
    }
    return x.tensor();
  }
  return Tensor(number(op, x, Type::scalar(default_dtype(x.kind())), x.location()));
}

inline Tensor apply(const ir::OpDefinition& op, std::vector<NodeRef> inputs, ir::Attributes attributes, Location where) {
  return Tensor(record(op, std::move(inputs), std::move(attributes), where));
}

// The axis counted from the front; raises when the tensor has no such axis.
int normalize_axis(std::string_view op, int axis, int rank, Location where);
// Sorted, each once; empty means all axes.
ir::Integers normalize_axes(std::string_view op, const Axes& axes, int rank, Location where);

}  // namespace hyperion::frontend

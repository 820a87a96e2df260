// convolution_problem.hpp: `convolve` as a product of matrices, of its attributes alone (ir/ops/convolve.cpp).
//
// Rows are the places of the output: image, height and width. Depth is the places of the kernel, height and width, and the
// channels, in the order of the definition. Each group is a batch.
#pragma once

#include <optional>
#include <string>

#include "codegen/cuda/tensor_contraction.hpp"
#include "ir/op_definition.hpp"

namespace hyperion::codegen {

struct ProductSizes {
  std::int64_t batches = 1, rows = 1, columns = 1, depth = 1;
};
ProductSizes convolution_sizes(const ir::Attributes& convolve);

// Whether a window may reach where there is no input.
bool has_missing_elements(const ir::Attributes& convolve);

// The product for the tensor cores; nothing for groups, and for inputs with holes, which they have no form for. Windows
// of one element, side by side, are plain rows. Buffers, element type and epilogue are left to the caller.
std::optional<TensorProblem> convolution_problem(const ir::Attributes& convolve);

// `struct Problem` as contract_fma wants it.
std::string convolution_text(const ir::Attributes& convolve, const std::string& sum_type, const std::string& lhs_type,
                             const std::string& rhs_type);

}  // namespace hyperion::codegen

// staged_body.hpp: the body of a product as a piece of text that computes elements and leaves their store to somebody
// else. Internal to codegen/cuda.
#pragma once

#include <optional>

#include "codegen/cuda/kernel_translator.hpp"
#include "codegen/cuda/tensor_contraction.hpp"

namespace hyperion::codegen {

// Whether the body of `op` computes so much that it stands once in a kernel, not once for each sum of a thread.
bool has_long_body(const ir::Function& kernel, const ir::Op& op);

// For the body of `op`, a contract or a convolve without groups, if it stores once, elements of 16 bits, columns together and lines at multiples of
// 16 bytes; or for the plain store of the sums, where there is none. `translator` knows the names of all that stands in
// front of the op.
std::optional<StagedResult> stage_body(const ir::Function& kernel, const ir::Op& op,
                                       const CudaKernelTranslator& translator);

}  // namespace hyperion::codegen

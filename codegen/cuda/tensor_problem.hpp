// tensor_problem.hpp: a product on the tensor cores by name: what measurements of it are filed under, and what a user
// calls it.
#pragma once

#include <optional>
#include <string_view>

#include "codegen/cuda/tensor_contraction.hpp"
#include "runtime/tuning_store.hpp"

namespace hyperion::codegen {

// Operands are dense, by the layout's letters: "NT" is lhs[rows, depth] and rhs[columns, depth]. A small letter says
// that lines of that operand do not begin at multiples of 16 bytes.
TensorProblem dense_problem(DType dtype, std::string_view layout, std::int64_t rows, std::int64_t columns,
                            std::int64_t depth, std::int64_t batches = 1);

// "contract bf16 NT 4096x1024x768", with batches in front where there are several: "12x4096x1024x768". Sizes are
// rounded up to what every schedule's tiles share: 64 rows and columns, 128 bytes of depth. Problems of one class are
// cut into the same tiles by each schedule, so that one's times are the other's. Of windows over images depth is the
// channels, and behind it stand the kernel's size and the stride: "convolve bf16 NN 200704x64x64,3x3/1x1".
runtime::TuningProblem problem_class(const TensorProblem& problem);

// A problem of that class; nothing for what is no class of products.
std::optional<TensorProblem> problem_of(const runtime::TuningProblem& name);

}  // namespace hyperion::codegen

// generator.hpp: the CodeGenerator of GPUs: kernels as CUDA C++, which NVRTC compiles.
//
// Kernels share programs: compiling sixteen small ones together takes a quarter of the time of one after the other.
// Large ones, and plans of many, are dealt out to programs that compile at the same time.
#pragma once

#include <memory>

#include "codegen/driver/code_generator.hpp"

namespace hyperion::codegen {

std::unique_ptr<CodeGenerator> make_cuda_generator(const CudaTarget& target, const GeneratorOptions& options);

}  // namespace hyperion::codegen

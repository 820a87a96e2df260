// target.hpp: the machines that code is generated for, as plain records.
#pragma once

#include <string>
#include <variant>

#include "codegen/cuda/target.hpp"
#include "codegen/llvm/target.hpp"

namespace hyperion::codegen {

using Target = std::variant<CpuTarget, CudaTarget>;

// Targets of equal key get identical code from identical input.
std::string key(const Target& target);

}  // namespace hyperion::codegen

// code_loader.hpp: the runtime's CodeLoader by LLVM's JITLink.
#pragma once

#include <memory>

#include "runtime/code_loader.hpp"

namespace hyperion::codegen {

std::shared_ptr<runtime::CodeLoader> llvm_code_loader();

}  // namespace hyperion::codegen

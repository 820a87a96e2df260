// code.hpp: a module's GPU objects (object.hpp) made ready to run by an executor.
#pragma once

#include <memory>

#include "runtime/code_loader.hpp"
#include "runtime/cuda/context.hpp"

namespace hyperion::runtime::cuda {

// Its kernels bind to queues of the same device only.
std::unique_ptr<CodeLoader> make_code_loader(std::shared_ptr<Context> context);

}  // namespace hyperion::runtime::cuda

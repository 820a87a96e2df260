// host_backend.hpp: the processor as a device: its memory is the host's, and work is done when the
// call returns.
#pragma once

#include <memory>

#include "runtime/backend.hpp"

namespace hyperion::runtime {

// `threads` is what the description says.
std::unique_ptr<Backend> make_host_backend(int threads);

}  // namespace hyperion::runtime

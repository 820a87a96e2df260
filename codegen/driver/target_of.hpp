// target_of.hpp: which code runs on a device.
#pragma once

#include "codegen/driver/target.hpp"
#include "ir/support/status.hpp"
#include "runtime/device.hpp"

namespace hyperion::codegen {

// unimplemented for a kind that no code generator knows.
StatusOr<Target> target_of(const runtime::Device& device);

}  // namespace hyperion::codegen

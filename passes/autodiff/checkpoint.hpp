// checkpoint.hpp: where the backward pass recomputes instead of remembering.
//
// A function marked as a checkpoint is a boundary: a vjp keeps the arguments of a call to it, and nothing from inside;
// the backward pass calls the function again. A barrier ties the recomputation to the cotangents, so that no merging of
// equal ops and no scheduling can move it back into the forward pass. Values are the same bits with and without.
#pragma once

#include "ir/module.hpp"

namespace hyperion::passes {

inline constexpr std::string_view kCheckpointAttribute = "checkpoint";  // of a func, boolean

inline void mark_checkpoint(ir::Function& function) { function.attributes.set(kCheckpointAttribute, true); }
inline bool is_checkpoint(const ir::Function& function) {
  const ir::AttributeValue* value = function.attributes.find(kCheckpointAttribute);
  return value != nullptr && std::get<bool>(*value);
}

}  // namespace hyperion::passes

// inline.hpp: replaces calls by the bodies of what they call, which is what `call` means. Functions that were called stay
// in the module, unless the pass is told the entry: then what the entry does not reach any more is erased.
//
// Calls nested in inlined bodies are inlined too; functions cannot be recursive, so this ends.
#pragma once

#include <string>

#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

Changed inline_calls(const ir::Module& module, ir::Function& function, PassContext& context);

// Erases every function that `entry` does not refer to, directly or through others. REQUIRES: the entry exists.
Changed erase_unreachable(ir::Module& module, const std::string& entry);

}  // namespace hyperion::passes

// inline.hpp: replaces calls by the bodies of what they call, which is what `call` means. Functions that are called stay
// in the module; a pass option erases those that nothing refers to any more.
//
// Calls nested in inlined bodies are inlined too; functions cannot be recursive, so this ends.
#pragma once

#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

Changed inline_calls(const ir::Module& module, ir::Function& function, PassContext& context);

}  // namespace hyperion::passes

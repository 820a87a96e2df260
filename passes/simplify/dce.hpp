// dce.hpp: removes ops whose results nobody needs. An op is needed if it is not pure, or if a needed op uses it.
//
// Linear in the number of ops: one walk from the last op to the first.
#pragma once

#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

Changed eliminate_dead_code(const ir::Module& module, ir::Function& function, PassContext& context);

// The same for a function that is still being written, whose ops are nobody's business yet.
void remove_dead_ops(ir::Function& function);

}  // namespace hyperion::passes

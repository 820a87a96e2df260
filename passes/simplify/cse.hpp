// cse.hpp: computes equal things once. Two pure ops of the same definition, attributes, operands and result types are one;
// the later one goes. Operands of commutative ops compare in either order. Linear in the number of ops.
#pragma once

#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

Changed eliminate_common_subexpressions(const ir::Module& module, ir::Function& function, PassContext& context);

}  // namespace hyperion::passes

// dot_operand.hpp: what the layout passes do to an operand of `dot`.
#pragma once

#include <string>

#include "ir/builder.hpp"

namespace hyperion::passes {

// The operand with its one contracted axis last, and what `attributes` say of `side`, "lhs" or "rhs", after it; itself
// where several axes are contracted, or the last one is. Behind a barrier it is a tensor of its own: in the product it
// would be a view, read as it lay.
ir::Value depth_last(ir::Builder& b, ir::Value x, const std::string& side, ir::Attributes& attributes);

}  // namespace hyperion::passes

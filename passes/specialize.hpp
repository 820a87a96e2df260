// specialize.hpp: gives numbers to symbolic dimensions. Types, shapes in attributes and symbolic constants are rewritten
// and every op's type rule is applied again, so what does not fit the numbers is reported, at the op.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

using SymbolValues = std::map<std::string, std::int64_t>;

// All funcs of the module. Symbols without a value stay. After a failure the module is half done: discard it.
Result<Changed> specialize(ir::Module& module, const SymbolValues& symbols, PassContext& context);

}  // namespace hyperion::passes

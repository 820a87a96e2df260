// fold.hpp: computes what is known. An op whose operands are constants becomes a constant, evaluated by the interpreter,
// whose bits are those of compiled code. Elementwise ops on constants of equal elements fold whatever their size; others
// only up to a number of elements, so that folding never makes a program large.
#pragma once

#include <optional>

#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

// Above this, constants would cost more to store and load than most ops cost to compute.
inline constexpr std::int64_t kMaxFoldedElements = 1024;

// The value of the op's only result; nothing if it is not known, not pure, or too large.
std::optional<LiteralPtr> fold_op(const ir::Module& module, const ir::Function& function, const ir::Op& op,
                                  std::int64_t max_elements = kMaxFoldedElements);

}  // namespace hyperion::passes

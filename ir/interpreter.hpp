// interpreter.hpp: what a program means, computed the obvious way. The oracle of all tests.
//
// Index definitions are evaluated element by element (ir/logic/term_evaluator.hpp), composites through their
// decomposition, ops without an index form by their `evaluate` hook. Arithmetic is ir/primitive_semantics.hpp, so
// compiled code is right exactly when it gives the same bits.
//
// Types must be static: specialise symbolic dimensions first. Complex elements and kernels are refused by a Status.
//
// Thread safety: any number of threads may interpret the same module.
#pragma once

#include <span>
#include <vector>

#include "ir/module.hpp"
#include "ir/support/status.hpp"

namespace hyperion::ir {

// REQUIRES: `function` is a verified func of `module`.
StatusOr<std::vector<LiteralPtr>> interpret(const Module& module, const Function& function,
                                            std::span<const LiteralPtr> arguments);

// One application of an op, types inferred; `module` holds the functions it calls, if any.
StatusOr<std::vector<LiteralPtr>> interpret_op(const OpDefinition& op, std::span<const LiteralPtr> operands,
                                               Attributes attributes = {}, const Module* module = nullptr);

}  // namespace hyperion::ir

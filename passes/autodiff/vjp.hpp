// vjp.hpp: reverse mode: vjp = jvp, then transpose.
//
//   vjp(f)(x, y) = (f(x), f'(x)ᵀ y)
//
// The result is one function: f's ops, then the backward ops; what the backward needs from the forward is visible as
// ordinary values. It nests freely: the vjp of a vjp is the reverse mode of an ordinary function.
#pragma once

#include <string>

#include "ir/module.hpp"
#include "passes/autodiff/transpose.hpp"
#include "passes/selection.hpp"

namespace hyperion::passes {

// Adds a function to `module`. Parameters: those of `f`, then a cotangent for each floating result. Results: those of
// `f`, then a cotangent for each parameter in `wrt`.
// REQUIRES: `f` is a func of `module`; wrt.size() == parameter count; parameters in `wrt` are floating; `name` is free.
// After an error the module is as before.
std::expected<ir::Function*, Irreversible> try_vjp(ir::Module& module, const ir::Function& f, const Selection& wrt,
                                                   std::string name);
// REQUIRES, as well: reverse mode exists.
ir::Function& vjp(ir::Module& module, const ir::Function& f, const Selection& wrt, std::string name);

}  // namespace hyperion::passes

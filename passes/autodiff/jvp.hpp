// jvp.hpp: forward mode: a function and its directional derivative, as one function.
//
//   jvp(f)(x, dx) = (f(x), f'(x) dx)
//
// Every op brings its own rule (OpDefinition::jvp); a linear op is its own derivative; a composite is differentiated
// through its decomposition; an op with neither has derivative zero (floor, compare, integer ops). Only floating values
// have tangents. Ops that depend on a tangent are linear in it, which is what transpose (passes/autodiff/transpose.hpp)
// relies on, and a rule's residuals are ordinary values.
//
// Calls are differentiated in place, except calls of a function marked `checkpoint` (passes/autodiff/checkpoint.hpp),
// which become calls of its derivative.
#pragma once

#include <string>

#include "ir/module.hpp"
#include "passes/selection.hpp"

namespace hyperion::passes {

// Adds a function to `module`. Parameters: those of `f`, then a tangent for each active parameter. Results: those of `f`,
// then a tangent for each floating result, zeros where it depends on no active parameter.
// REQUIRES: `f` is a func of `module`; active.size() == parameter count; active parameters are floating; `name` is free.
ir::Function& jvp(ir::Module& module, const ir::Function& f, const Selection& active, std::string name);

}  // namespace hyperion::passes

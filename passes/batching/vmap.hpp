// vmap.hpp: a function of one example, made a function of many.
//
//   vmap(f)(xs)[i] = f(xs[i])
//
// The batch is axis 0. Every op brings its batching rule (OpDefinition::batch); elementwise ops need none; composites
// without one go through their decomposition; calls are batched in place. Ops that touch nothing batched are copied, so
// what does not depend on the example is computed once.
#pragma once

#include <string>

#include "ir/module.hpp"
#include "passes/selection.hpp"

namespace hyperion::passes {

// Adds a function to `module`. Its parameters are those of `f`, batched ones with `size` in front; all results are batched.
// REQUIRES: `f` is a func of `module`; batched.size() == parameter count; `name` is free; ranks stay within kMaxRank.
ir::Function& vmap(ir::Module& module, const ir::Function& f, const Selection& batched, Dim size, std::string name);

}  // namespace hyperion::passes

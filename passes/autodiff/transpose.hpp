// transpose.hpp: a function that is linear in some parameters, turned around.
//
// If f(a, x) is linear in x, then transpose(f)(a, y) is the x' with <y, f(a, x)> = <x', x> for all x. Ops that do not
// depend on a linear parameter are copied in order; those that do are visited from last to first, and each op's own rule
// (OpDefinition::transpose) sends the cotangents of its results to its operands. A value with several uses sums their
// cotangents in the order in which its users are visited, last user first, so results are deterministic.
#pragma once

#include <expected>
#include <string>

#include "ir/module.hpp"
#include "passes/pass.hpp"
#include "passes/selection.hpp"

namespace hyperion::passes {

// Where reverse mode ends: an op whose results depend on a linear parameter, but which is not linear and cannot be turned
// around: `while`, which has forward derivatives only.
struct Irreversible {
  std::string op;
  Location location;

  std::string text() const;  // "while (net.cpp:12:3) cannot be turned around"
};
// As the diagnostic pass.reverse.
void report(const Irreversible& irreversible, PassContext& context);

// Which results depend on the linear parameters.
Selection linear_results(const ir::Function& f, const Selection& linear);

// Adds a function to `module`. Parameters: the parameters of `f` that are not linear, then a cotangent for each linear
// result. Results: a cotangent for each linear parameter.
// REQUIRES: `f` is linear in those parameters together; `name` is free. After an error the module is as before.
std::expected<ir::Function*, Irreversible> try_transpose(ir::Module& module, const ir::Function& f,
                                                         const Selection& linear, std::string name);
// REQUIRES, as well: every op can be turned around.
ir::Function& transpose(ir::Module& module, const ir::Function& f, const Selection& linear, std::string name);

}  // namespace hyperion::passes

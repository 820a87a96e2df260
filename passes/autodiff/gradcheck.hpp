// gradcheck.hpp: derivatives against differences, on the interpreter.
//
// Along random directions d and for random cotangents y, at the given point x of a function f in f64:
//   forward   jvp(f)(x, d)  =  (f(x + h d) - f(x - h d)) / 2h, at two step sizes and extrapolated (error of order h^4)
//   reverse   <y, f'(x) d>  =  <f'(x)ᵀ y, d>, with both sides from our own transforms, so nearly exact
// Second order is the same check of the function vjp(f), whose own derivative contains f's second derivatives.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "ir/module.hpp"
#include "ir/support/status.hpp"

namespace hyperion::passes {

struct GradcheckOptions {
  int order = 1;                     // 2: check the derivative of the vjp as well
  int directions = 2;                // random directions per order
  double step = 1e-3;                // relative to elements of size one
  double forward_tolerance = 1e-7;   // relative to the size of the derivative
  double reverse_tolerance = 1e-11;
  std::uint64_t seed = 1;
};

struct GradcheckReport {
  bool passed = true;
  double forward_error = 0;  // the largest seen
  double reverse_error = 0;
  std::string message;       // which check failed, with both numbers; empty if none did
};

// REQUIRES: `arguments` fit the parameters of `f`; floating parameters are f64; types are static.
StatusOr<GradcheckReport> gradcheck(const ir::Module& module, const ir::Function& f,
                                    std::span<const LiteralPtr> arguments, const GradcheckOptions& options = {});

}  // namespace hyperion::passes

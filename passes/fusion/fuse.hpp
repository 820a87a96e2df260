// fuse.hpp: cuts a func into groups, each of which becomes one kernel.
//
// Why: a group keeps its intermediate values in registers, so launches and trips to memory drop. A group is outlined as
// a func of its own and called, so it prints, runs and is tested alone. Runs when ops are canonical and composites
// expanded, before lowering.
//
// A group grows from producers to consumers around at most one anchor:
//   map          elementwise ops of one shape
//   row          reductions along trailing axes, and what is computed per row or per element of the rows (softmax)
//   column       a reduction along other axes, fed by a map, followed by elementwise ops on its result
//   contraction  dot or conv, maps that compute its operands as they are packed (prologues, prologue.hpp), and
//   elementwise
//                ops on its result (the epilogue)
//   single       anything else with an index form
// Views and splat constants belong to no group: every group that reads through one has its own copy, which costs an
// address, not a loop. So do large values that are cheap to compute again (recompute.hpp).
//
// On exit: (F1) every op but constants and control flow is in a called function; (F2) no value leaves a group and comes
// back into it; (F3) a group holds at most one contraction, scatter or cumulative op; (F4) the results of a group share
// leading dimensions (lower.hpp relies on it).
#pragma once

#include <cstddef>

#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

struct FuseOptions {
  // Ops in one group. Bounds compile time and registers; long chains split into kernels of this size.
  std::size_t max_ops = 48;
  bool enabled = true;    // false: every op alone, for comparison
  bool prologues = true;  // false: what stands before a contraction is a kernel of its own, for comparison
  // Values at least so large are computed again where they are read, if that moves fewer bytes; they would not stay in
  // a cache. 0: all that can be, whatever it costs, for tests.
  double recompute_bytes = 4 << 20;
};

// Replaces `function` by calls of the groups, which are added to the module.
Changed fuse(ir::Module& module, const std::string& function, const FuseOptions& options = {});

}  // namespace hyperion::passes

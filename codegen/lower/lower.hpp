// lower.hpp: a fusion group (a `func`) becomes a `kernel`: loops, vectors, loads and stores.
//
// The shapes of loops, in the words of `Schedule`: a flat parallel loop over tiles; in a tile the outer indices are decoded
// and the last index runs over vectors. Row reductions become loops before that vector loop; column reductions become a
// loop inside of it. A contraction hands its sums to an epilogue in registers.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ir/module.hpp"
#include "ir/support/diagnostics.hpp"

namespace hyperion::codegen {

// Threads that run one tile together and share out its vectors, in chunks of neighbouring elements: how a GPU is a machine
// with long vectors. Vectors are multiples of threads * chunk.
struct Team {
  int threads = 1;
  int chunk = 1;

  int per_block() const { return threads >= 256 ? 1 : 256 / threads; }  // small teams share a block
};

// What the scheduler must know about the machine, without knowing the machine.
struct LoweringTarget {
  int vector_bytes = 64;
  std::int64_t streaming_bytes = 0;  // results at least so large are written past the caches; 0: never
  // Kernels are for teams of threads.
  bool has_teams = false;
  bool bitwise = true;  // sums over rows keep 64 partial results, as their definition says
  int processors = 1;   // that teams run on
};

struct Lowered {
  std::unique_ptr<ir::Function> kernel;  // parameters: the group's inputs, then one `out` per result
  std::int64_t tiles = 1;
  Team team;                // one thread, except on machines with teams
  std::uint64_t flops = 0;  // scalar operations, counting a fused multiply-add as two (cost.hpp)
  std::uint64_t bytes = 0;  // read and written, each element once
  // Pairs (input, output) that may share memory: the input is read only where, and before, the output is written.
  std::vector<std::pair<int, int>> in_place;
};

// REQUIRES: all types static; one anchor at most, and then only elementwise ops after it.
Lowered lower_group(const ir::Function& group, const LoweringTarget& target);

}  // namespace hyperion::codegen
